"""How results look to people."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

NARROW = ("ID", "Address", "State", "Code", "Kind", "When", "Asked", "Ordered", "Prefix", "Last used", "Ends", "Made")


def table(console: Console, headers: list[str], rows: Iterable[list[Any]], *, empty: str) -> None:
    """A plain table; `empty` is said where there are no rows."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        made.add_column(header, overflow="fold", no_wrap=header in NARROW)
    count = 0
    for row in rows:
        made.add_row(*(escape(text(cell)) for cell in row))
        count += 1
    console.print(made if count else empty)


def card(console: Console, values: dict[str, Any]) -> None:
    """One thing, a line a value; what is empty is left out."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in values.items():
        if value not in (None, "", []):
            made.add_row(name, escape(text(value)))
    console.print(made)


def text(value: Any) -> str:
    """A value as one reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


def moment(value: str | None) -> str | None:
    """2027-03-01T12:30:00.1Z → 2027-03-01 12:30 UTC."""
    if value is None:
        return None
    return value[:16].replace("T", " ") + (" UTC" if value.endswith(("Z", "+00:00")) else value[-6:])


def size(value: int | None) -> str:
    """Bytes in decimal units, as offers count them."""
    if value is None:
        return "–"
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return ""


SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(seconds: float | None) -> str:
    """A length of time in its largest unit: 3 min, 2 d."""
    if seconds is None:
        return "–"
    length, unit = next((one for one in SPANS if seconds >= 2 * one[0]), SPANS[-1])
    return f"{seconds / length:.0f} {unit}"
