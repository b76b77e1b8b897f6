"""What a form sent: texts, trimmed of what no field of ours takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request

from kit.errors import Refusal

PARIS = ZoneInfo("Europe/Paris")
LONGEST = 20_000


@dataclass(frozen=True)
class Entries:
    """A sent form. A field may come several times (checkboxes)."""

    fields: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, form: Any) -> "Entries":
        """From Litestar's form; files and control characters are not taken."""
        found: dict[str, tuple[str, ...]] = {}
        for name, value in form.multi_items():
            if isinstance(value, str):
                found[name] = (*found.get(name, ()), value[:LONGEST].replace("\x00", ""))
        return cls(found)

    def text(self, name: str, default: str = "") -> str:
        """One field, spaces around it removed."""
        given = self.fields.get(name)
        return given[-1].strip() if given else default

    def secret(self, name: str) -> str:
        """One field exactly as typed: passwords may begin with a space."""
        given = self.fields.get(name)
        return given[-1] if given else ""

    def maybe(self, name: str) -> str | None:
        """One field, or None when it was left empty."""
        return self.text(name) or None

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value.strip() for value in self.fields.get(name, ())]

    def values(self) -> dict[str, str]:
        """The entries as the form shows them again; passwords and codes are not kept."""
        hidden = {"password", "new_password", "code", "csrf", "answer", "client_secret"}
        return {name: given[-1] for name, given in self.fields.items() if given and name not in hidden}

    def day_end(self, name: str) -> datetime | None:
        """A day of a date field as its last second in Paris; None when empty, refused when it is no date."""
        text = self.text(name)
        if not text:
            return None
        try:
            day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, its zone follows
        except ValueError as error:
            raise Refusal("date_invalid", "This is not a date.", field=name) from error
        return datetime.combine(day, time(23, 59, 59), PARIS).astimezone(UTC)


async def provide_entries(request: Request[Any, Any, Any]) -> Entries:
    """What the form sent, as a dependency of handlers."""
    return Entries.of(await request.form())
