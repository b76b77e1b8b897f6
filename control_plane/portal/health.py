"""What needs somebody's attention, each with the rule behind its colour. Health shows a dash; exceptions speak."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from control_plane.organisations import Organisation
from control_plane.portal.figures import Figures
from control_plane.portal.words import flag_words
from kit.interface import N_

SOON = timedelta(days=14)
NEARLY_FULL = 90


@dataclass(frozen=True)
class Concern:
    """One thing to look at. `message` is a gettext message with places for `params`."""

    tone: str
    message: str
    params: dict[str, Any] = field(default_factory=dict)


def concerns(row: Organisation, figures: Figures | None, now: datetime | None = None) -> list[Concern]:
    """The gravest first: failed; full (100 % of storage); nearly full (90 %); trial ends within 14 days; flags."""
    now = now or datetime.now(UTC)
    return worst_first([*_failure(row), *_storage(figures), *_trial(row, now), *_flags(row)])


def worst_first(found: list[Concern]) -> list[Concern]:
    """The gravest first; those that weigh the same stay in their order."""
    return sorted(found, key=lambda one: {"bad": 0, "warn": 1}.get(one.tone, 2))


def _failure(row: Organisation) -> list[Concern]:
    return [Concern("bad", N_("Preparation failed"))] if row.state == "failed" else []


def _storage(figures: Figures | None) -> list[Concern]:
    share = figures.share if figures else None
    if share is None or share < NEARLY_FULL:
        return []
    if share >= 100:
        return [Concern("bad", N_("Storage is full"))]
    return [Concern("warn", N_("Storage at %(share)d %%"), {"share": int(share)})]


def _trial(row: Organisation, now: datetime) -> list[Concern]:
    if row.trial_ends_at is None or row.state not in {"live", "read_only"}:
        return []
    if row.trial_ends_at <= now:
        return [Concern("warn", N_("The trial is over"))]
    if row.trial_ends_at - now <= SOON:
        return [Concern("warn", N_("The trial ends in %(days)d d"), {"days": (row.trial_ends_at - now).days})]
    return []


def _flags(row: Organisation) -> list[Concern]:
    if row.state == "erased":
        return []
    return [Concern("warn", flag_words(flag)[0]) for flag in row.flags]
