"""How a state looks in any face: always a text, an icon and a colour together, never a colour alone."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """State = text + icon + colour."""

    text: str
    tone: str
    icon: str = "circle"
    spin: bool = False


def look_of(state: str, looks: Mapping[str, Look]) -> Look:
    """The look of a state; one that has none shows by its own name."""
    return looks.get(state, Look(state, "plain"))
