"""Figures as people of each language write them: sizes in powers of ten, dates, time gone by, numbers and prices."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal

from kit.domains import domain_in_words

UNITS = {"fr": ("o", "Ko", "Mo", "Go", "To", "Po"), "en": ("B", "KB", "MB", "GB", "TB", "PB")}
WIDE = "\u00a0"
ZONE = "Europe/Paris"


def number(value: float, locale: str, digits: int | None = None) -> str:
    """1234.5 → « 1 234,5 » in French, "1,234.5" in English."""
    if digits is None:
        return format_decimal(value, locale=locale)
    return format_decimal(value, locale=locale, format=f"#,##0.{'#' * digits}", decimal_quantization=True)


def size(count: int | None, locale: str) -> str:
    """61400000000 → « 61,4 Go ». One GB is 10⁹ bytes; three digits that matter, no more."""
    if count is None:
        return "—"
    value, rank = float(count), 0
    units = UNITS.get(locale, UNITS["en"])
    while abs(value) >= 999.5 and rank < len(units) - 1:
        value, rank = value / 1000, rank + 1
    digits = 0 if rank == 0 or abs(value) >= 100 else 1
    return f"{number(value, locale, digits)}{WIDE}{units[rank]}"


def euros(cents: int, locale: str) -> str:
    """19000 → « 190 € » or "€190"; cents only when there are any."""
    amount = number(cents / 100, locale) if cents % 100 == 0 else format_decimal(cents / 100, "#,##0.00", locale)
    return f"{amount}{WIDE}€" if locale == "fr" else f"€{amount}"


def _local(moment: datetime, zone: str) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(ZoneInfo(zone))


def date(moment: datetime | None, locale: str, form: str = "date", zone: str = ZONE) -> str:
    """`form`: date (12 novembre 2026), short (12 nov.), time (14:02), moment (12 nov. 2026, 14:02), second."""
    if moment is None:
        return "—"
    local = _local(moment, zone)
    if form == "time":
        return format_time(local, "HH:mm", locale=locale)
    if form == "second":
        return format_datetime(local, "d MMM y, HH:mm:ss", locale=locale)
    if form == "moment":
        return format_datetime(local, "d MMM y, HH:mm", locale=locale)
    if form == "short":
        return format_date(local, "d MMM", locale=locale)
    return format_date(local, "d MMMM y", locale=locale)


AGO = {
    "fr": ("à l’instant", "il y a {n} s", "il y a {n} min", "il y a {n} h", "hier", "il y a {n} jours"),
    "en": ("just now", "{n} s ago", "{n} min ago", "{n} h ago", "yesterday", "{n} days ago"),
}


def ago(moment: datetime | None, locale: str, now: datetime | None = None) -> str:
    """Time gone by, up to six days; then the day, and its year when it is another one."""
    if moment is None:
        return {"fr": "jamais"}.get(locale, "never")
    now = _local(now or datetime.now(UTC), ZONE)
    then = _local(moment, ZONE)
    words = AGO.get(locale, AGO["en"])
    seconds = max(0, int((now - then).total_seconds()))
    days = (now.date() - then.date()).days
    if seconds < 10:
        return words[0]
    if seconds < 3600:
        rank, n = (1, seconds) if seconds < 60 else (2, seconds // 60)
        return words[rank].format(n=n).replace(" ", WIDE)
    if days == 0:
        return words[3].format(n=seconds // 3600).replace(" ", WIDE)
    if days <= 6:
        return words[4] if days == 1 else words[5].format(n=days)
    return date(moment, locale, "short" if then.year == now.year else "date")


def seconds(milliseconds: float | None, locale: str) -> str:
    """A duration: 140 → « 0,1 s », 83 000 → « 1 min 23 s »."""
    if milliseconds is None:
        return ""
    if milliseconds >= 60_000:
        minutes, rest = divmod(round(milliseconds / 1000), 60)
        return f"{minutes}{WIDE}min{WIDE}{rest}{WIDE}s"
    if milliseconds < 100:
        return f"{max(1, round(milliseconds))}{WIDE}ms"
    return f"{number(milliseconds / 1000, locale, 1)}{WIDE}s"


def filters(locale: str) -> dict[str, Callable[..., Any]]:
    """What templates may write after a bar, bound to a locale."""
    return {
        "bytes": lambda count: size(count, locale),
        "number": lambda value, digits=None: number(value, locale, digits),
        "euros": lambda cents: euros(cents, locale),
        "date": lambda moment, form="date", zone=ZONE: date(moment, locale, form, zone),
        "ago": lambda moment: ago(moment, locale),
        "domain": domain_in_words,
        "duration": lambda milliseconds: seconds(milliseconds, locale),
    }
