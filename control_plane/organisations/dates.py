"""Dates as customers count them: days end at midnight in Paris."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")


def today() -> date:
    """The date in Paris."""
    return datetime.now(PARIS).date()


def end_of_day(day: date) -> datetime:
    """The last second of a day in Paris, in UTC."""
    return datetime.combine(day, time(23, 59, 59), PARIS).astimezone(UTC)


def add_months(day: date, months: int) -> date:
    """The same day some months later; the 31st becomes the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def trial_end(months: int, begins: date | None = None) -> datetime | None:
    """When a trial of some months ends; None if there is no trial."""
    return end_of_day(add_months(begins or today(), months)) if months else None


def in_days(days: int) -> datetime:
    """The end of the day, some days from now."""
    return end_of_day(today() + timedelta(days=days))
