"""Each check leaves a trace; the first that fails ends the work with a refusal of its name."""

from typing import NoReturn

from kit.checking import Check
from kit.errors import Refusal
from kit.fetching import shown
from kit.openid.words import WORDS


def refusal(name: str, seen: object = "", wanted: object = "", *, field: str | None = None) -> Refusal:
    """The refusal of a check by its name, see `words`."""
    return Refusal(f"oidc_{name}", WORDS[name], field=field, seen=shown(seen), wanted=shown(wanted))


class Checks:
    """The trail of one sign-in: what was checked, in which order. `field` names the input at fault, if one is."""

    def __init__(self, trail: list[Check] | None = None, field: str | None = None) -> None:
        self.trail: list[Check] = [] if trail is None else trail
        self.field = field

    def need(self, name: str, ok: bool, seen: object = "", wanted: object = "") -> None:
        """Go on where `ok`; else refuse."""
        self.trail.append(Check(name, ok, shown(seen), shown(wanted)))
        if not ok:
            raise refusal(name, seen, wanted, field=self.field)

    def refuse(self, name: str, seen: object = "", wanted: object = "") -> NoReturn:
        """Refuse by the check of this name."""
        self.trail.append(Check(name, ok=False, seen=shown(seen), wanted=shown(wanted)))
        raise refusal(name, seen, wanted, field=self.field)

    def failed(self, refused: Refusal) -> None:
        """Note a refusal from deeper down, unless it was noted where it arose."""
        name = refused.code.removeprefix("oidc_")
        if not self.trail or self.trail[-1].ok or self.trail[-1].name != name:
            self.trail.append(Check(name, ok=False, seen=shown(refused)))


def kind_of(value: object) -> str:
    """What came, without showing it: for what may hold a secret or be endless."""
    if value is None:
        return "nothing"
    names = {str: "text", bool: "a flag", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
