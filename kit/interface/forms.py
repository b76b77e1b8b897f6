"""What a form shows after it was sent: the entries as they were typed, and every error beside its field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kit.errors import Refusal, Refusals
from kit.interface.i18n import translator

WHOLE = "form"


def field_errors(problem: Refusal | Refusals | Sequence[Refusal], locale: str) -> dict[str, str]:
    """Field → words in the reader's language; what belongs to no field stands under `form`."""
    if isinstance(problem, Refusal):
        problem = [problem]
    elif isinstance(problem, Refusals):
        problem = problem.refusals
    words = translator(locale).words
    errors: dict[str, str] = {}
    for refusal in problem:
        errors.setdefault(refusal.field or WHOLE, words(refusal))
    return errors


@dataclass(frozen=True)
class Form:
    """Entries and errors by field. Templates ask `form.value("email")` and `form.error("email")`."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str, default: str = "") -> str:
        """What was typed."""
        return self.values.get(name, default)

    def error(self, name: str) -> str | None:
        """What is wrong with it, if anything."""
        return self.errors.get(name)
