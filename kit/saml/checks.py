"""Each check leaves a trace; the first that fails ends the work with a refusal of its name."""

from typing import NoReturn

from kit.checking import Check
from kit.errors import Refusal
from kit.saml.words import WORDS

LONGEST = 300


def shown(value: object) -> str:
    """What came from outside, as a person may see it: on one line, and not endless."""
    text = str(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def refusal(name: str, seen: object = "", wanted: object = "") -> Refusal:
    """The refusal of a check by its name, see `words`."""
    return Refusal(f"saml_{name}", WORDS[name], seen=shown(seen), wanted=shown(wanted))


class Checks:
    """The trail of one message: what was checked, in which order."""

    def __init__(self, trail: list[Check] | None = None) -> None:
        self.trail: list[Check] = [] if trail is None else trail
        self._noted = set(self.trail)

    def need(self, name: str, ok: bool, seen: object = "", wanted: object = "") -> None:
        """Go on where `ok`; else refuse."""
        self._note(Check(name, ok, shown(seen), shown(wanted)))
        if not ok:
            raise refusal(name, seen, wanted)

    def refuse(self, name: str, seen: object = "", wanted: object = "") -> NoReturn:
        """Refuse by the check of this name."""
        self._note(Check(name, ok=False, seen=shown(seen), wanted=shown(wanted)))
        raise refusal(name, seen, wanted)

    def take(self, other: "Checks") -> None:
        """Count the checks of `other` as ours."""
        for check in other.trail:
            self._note(check)

    def _note(self, check: Check) -> None:
        # The same of response and assertion is one line to its reader.
        if check not in self._noted:
            self._noted.add(check)
            self.trail.append(check)
