"""What an action would do: the action itself is tried in a savepoint and taken back, then its effects are told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import catalogue
from control_plane.audit import SYSTEM
from control_plane.catalogue import OfferView
from control_plane.organisations import dates, holds, lifecycle, service, trials
from control_plane.organisations.models import Organisation
from control_plane.organisations.usage import usage
from kit.db import AFTER_COMMIT
from kit.errors import Refusal


@dataclass(frozen=True)
class Effect:
    """One consequence, in words for a person: `message` with its `params`."""

    code: str
    message: str
    params: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message.format(**self.params)


@dataclass(frozen=True)
class Effects:
    """What would happen; if it is not `allowed`, `refusal` says why."""

    lines: list[Effect]
    allowed: bool
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Case:
    """An organisation as it is, and the arguments of what is to be done to it."""

    session: Session
    row: Organisation
    args: dict[str, Any]


def _suspension(case: Case) -> list[Effect]:
    return [
        *_affected(case),
        Effect("doors_close", "Nobody can sign in; members see a page that says why. Nothing is lost."),
        Effect("files_blocked", "The object store refuses every request for its files."),
    ]


def _reading_only(case: Case) -> list[Effect]:
    return [*_affected(case), Effect("writes_refused", "Everything can be read, nothing can be changed.")]


def _resuming(case: Case) -> list[Effect]:
    kind = case.args.get("kind", "technical")
    left = [hold for hold in service.holds(case.session, case.row.id, standing_only=True) if hold.kind != kind]
    return [
        Effect("hold_stands", "A {kind} hold still stands: {reason}", {"kind": hold.kind, "reason": hold.reason})
        for hold in left
    ] or [Effect("doors_open", "The workspace opens again for its members.")]


def _closing(case: Case) -> list[Effect]:
    until = dates.in_days(lifecycle.NOTICE_DAYS).astimezone(dates.PARIS).date().isoformat()
    return [
        *_affected(case),
        Effect("notice_begins", "Members are out at once; the export stays open until {date}.", {"date": until}),
        Effect("reversible", "Until then it can be reopened as it was."),
    ]


def _reopening(_case: Case) -> list[Effect]:
    return [Effect("doors_open", "The workspace opens again for its members.")]


def _erasing(case: Case) -> list[Effect]:
    return [
        *_affected(case),
        Effect("all_removed", "Its schema, its files and its route are removed. This cannot be undone."),
        Effect("address_closed", "Its address {address} stays closed for a year.", {"address": case.row.address}),
    ]


def _affected(case: Case) -> list[Effect]:
    used = usage(case.session, case.row.id)
    if used is None:
        return [Effect("usage_unknown", "How many people this affects is not known just now.")]
    counts = {"members": used.members, "guests": used.guests, "bytes": used.storage_bytes}
    return [Effect("affected", "{members} members and {guests} guests are affected; {bytes} bytes are stored.", counts)]


def _offer_change(case: Case) -> list[Effect]:
    after = catalogue.current(case.session, case.args["offer"])
    before = catalogue.version(case.session, case.row.offer_code, case.row.offer_version)
    lines = [*_limit_changes(before, after), *_over_limits(case, after), *_feature_changes(before, after)]
    lines += _encryption_change(before, after)
    if case.row.trial_ends_at and not after.terms.trial_months:
        lines.append(Effect("trial_ends", "The trial ends with this change."))
    price = {"before": before.terms.price_cents, "after": after.terms.price_cents, "per": after.terms.price_per}
    return [*lines, Effect("price", "The price goes from {before} to {after} cents per {per} a month.", price)]


def _encryption_change(before: OfferView, after: OfferView) -> list[Effect]:
    if before.entitlements.encryption == after.entitlements.encryption:
        return []
    if after.entitlements.own_keys:
        message = "New files are encrypted by a key of its own; older ones stay as they are."
        return [Effect("encrypted_by_own_key", message)]
    message = "New files are encrypted by the store's key only; older ones stay as they are."
    return [Effect("encrypted_by_store", message)]


LIMITS = {
    "storage_bytes": "storage",
    "members": "members",
    "guests": "guests",
    "spaces": "spaces",
    "file_bytes": "file size",
    "retention_days": "retention",
}


def _limit_changes(before: OfferView, after: OfferView) -> list[Effect]:
    lines = []
    for name in LIMITS:
        was, now = getattr(before.entitlements, name), getattr(after.entitlements, name)
        if was != now:
            params = {"limit": name, "before": was, "after": now}
            lines.append(Effect("limit_changes", "The limit of {limit} goes from {before} to {after}.", params))
    return lines


def _over_limits(case: Case, after: OfferView) -> list[Effect]:
    used = usage(case.session, case.row.id)
    if used is None:
        return [Effect("usage_unknown", "Whether its use fits the new limits is not known just now.")]
    lines = []
    for name in ("storage_bytes", "members", "guests", "spaces"):
        limit, now = getattr(after.entitlements, name), getattr(used, name)
        if limit is not None and now > limit:
            message = (
                "It uses {used} of {limit}, above the new limit of {after}: nothing is removed, nothing can be added."
            )
            lines.append(Effect("over_limit", message, {"limit": name, "used": now, "after": limit}))
    return lines


def _feature_changes(before: OfferView, after: OfferView) -> list[Effect]:
    was, now = set(before.entitlements.features), set(after.entitlements.features)
    lost = [Effect("feature_lost", "It loses {feature}.", {"feature": one}) for one in sorted(was - now)]
    return lost + [Effect("feature_gained", "It gains {feature}.", {"feature": one}) for one in sorted(now - was)]


def _trial_extension(case: Case) -> list[Effect]:
    before = case.row.trial_ends_at.astimezone(dates.PARIS).date().isoformat() if case.row.trial_ends_at else None
    params = {"before": before, "after": str(case.args["until"])[:10]}
    return [Effect("trial_moves", "The trial ends on {after} instead of {before}; its reminders move along.", params)]


Telling = Callable[[Case], list[Effect]]
ACTIONS: dict[str, tuple[Callable[..., Any], Telling]] = {
    "suspend": (holds.suspend, _suspension),
    "read_only": (holds.read_only, _reading_only),
    "resume": (holds.resume, _resuming),
    "close": (lifecycle.close, _closing),
    "reopen": (lifecycle.reopen, _reopening),
    "erase": (lifecycle.erase, _erasing),
    "change_offer": (lifecycle.change_offer, _offer_change),
    "extend_trial": (trials.extend_trial, _trial_extension),
}


def preview(session: Session, organisation_id: UUID, action: str, **args: Any) -> Effects:
    """What `action` with these arguments would do, and whether it may. Nothing is changed.

    Arguments that only words depend on may be left out: a missing `reason` or typed address does not refuse a preview.
    """
    if action not in ACTIONS:
        raise Refusal("unknown_action", "There is no action called {action}.", field="action", action=action)
    do, tell = ACTIONS[action]
    row = service.get(session, organisation_id)
    refusal = _try(session, do, organisation_id, {**_defaults(action, row), **args})
    row = service.get(session, organisation_id)
    return Effects([] if refusal else tell(Case(session, row, args)), allowed=refusal is None, refusal=refusal)


def _defaults(action: str, row: Organisation) -> dict[str, Any]:
    if action in {"suspend", "read_only", "close", "extend_trial"}:
        return {"reason": "preview", "actor": SYSTEM}
    return {"confirm_address": row.address, "actor": SYSTEM} if action == "erase" else {"actor": SYSTEM}


def _try(session: Session, do: Callable[..., Any], organisation_id: UUID, args: dict[str, Any]) -> Refusal | None:
    bells = len(session.info.get(AFTER_COMMIT, []))
    savepoint = session.begin_nested()
    try:
        do(session, organisation_id, **args)
    except Refusal as refusal:
        return refusal
    finally:
        savepoint.rollback()
        del session.info.get(AFTER_COMMIT, [])[bells:]
        session.expire_all()
    return None
