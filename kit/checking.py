"""One step of a protocol that was checked, for the traces that an administrator reads."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What a step was to find and what it found. `seen` and `wanted` are for people, and never hold a secret."""

    name: str
    ok: bool
    seen: str = ""
    wanted: str = ""
