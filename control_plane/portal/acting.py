"""Actions on an organisation. Each has a page that tells its effects first; the same form, sent, carries it out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from control_plane import catalogue, organisations
from control_plane.identity import Permission
from control_plane.organisations import Effects, Organisation
from control_plane.portal.desk import Desk, go, requires
from control_plane.portal.effects import effect_icon, effect_tone, effect_words
from kit.errors import Refusal, Refusals
from kit.interface import N_, Form, field_errors, locale_of
from kit.interface.entries import Entries


@dataclass(frozen=True)
class Act:
    """One action: where it is, who may, what it is called, what it needs, and what carries it out."""

    path: str
    action: str
    permission: Permission
    title: str
    verb: str
    do: Callable[..., Any]
    fields: tuple[str, ...] = ()
    grave: bool = False
    done: str = "asked"


def _reason(entries: Entries) -> dict[str, Any]:
    return {"reason": entries.text("reason"), "kind": entries.text("kind") or "technical"}


def _erasure(row: Organisation, entries: Entries) -> dict[str, Any]:
    early = row.state == "closing" and row.erase_after is not None and row.erase_after > datetime.now(UTC)
    given: dict[str, Any] = {"confirm_address": entries.text("confirm_address")}
    if early and entries.text("force"):
        given |= {"force": True, "reason": entries.text("reason")}
    return given


def _trial_end(entries: Entries) -> dict[str, Any]:
    until = entries.day_end("until")
    if until is None:
        raise Refusal("date_missing", "Choose the new last day of the trial.", field="until")
    return {"until": until, "reason": entries.text("reason")}


ARGUMENTS: dict[str, Callable[[Organisation, Entries], dict[str, Any]]] = {
    "suspend": lambda _row, entries: _reason(entries),
    "read_only": lambda _row, entries: _reason(entries),
    "resume": lambda _row, entries: {"kind": entries.text("kind") or "technical"},
    "close": lambda _row, entries: {"reason": entries.text("reason")},
    "reopen": lambda _row, _entries: {},
    "erase": _erasure,
    "change_offer": lambda _row, entries: {"offer": entries.text("offer")},
    "extend_trial": lambda _row, entries: _trial_end(entries),
}

ACTS = (
    Act(
        "suspend",
        "suspend",
        Permission.ORGANISATIONS_SUSPEND,
        N_("Suspend %(name)s?"),
        N_("Suspend the organisation"),
        organisations.suspend,
        ("kind", "reason"),
        grave=True,
    ),
    Act(
        "read-only",
        "read_only",
        Permission.ORGANISATIONS_SUSPEND,
        N_("Make %(name)s read-only?"),
        N_("Make it read-only"),
        organisations.read_only,
        ("kind", "reason"),
    ),
    Act(
        "resume",
        "resume",
        Permission.ORGANISATIONS_SUSPEND,
        N_("Lift the hold on %(name)s?"),
        N_("Lift the hold"),
        organisations.resume,
        ("held",),
    ),
    Act(
        "close",
        "close",
        Permission.ORGANISATIONS_CLOSE,
        N_("Close %(name)s?"),
        N_("Close the organisation"),
        organisations.close,
        ("reason",),
        grave=True,
    ),
    Act(
        "reopen",
        "reopen",
        Permission.ORGANISATIONS_CLOSE,
        N_("Reopen %(name)s?"),
        N_("Reopen the organisation"),
        organisations.reopen,
    ),
    Act(
        "erase",
        "erase",
        Permission.ORGANISATIONS_ERASE,
        N_("Erase %(name)s for good?"),
        N_("Erase everything"),
        organisations.erase,
        ("address",),
        grave=True,
    ),
    Act(
        "offer",
        "change_offer",
        Permission.ORGANISATIONS_CHANGE,
        N_("Change the offer of %(name)s"),
        N_("Change the offer"),
        organisations.change_offer,
        ("offer",),
    ),
    Act(
        "trial",
        "extend_trial",
        Permission.ORGANISATIONS_CHANGE,
        N_("Extend the trial of %(name)s"),
        N_("Extend the trial"),
        organisations.extend_trial,
        ("until", "reason"),
        done="trial",
    ),
)


def _preview(desk: Desk, act: Act, row: Organisation, entries: Entries) -> Effects | None:
    """What would happen with what is chosen so far; None while there is nothing to tell yet."""
    given: dict[str, Any] = {}
    if act.action == "change_offer":
        if not entries.text("offer"):
            return None
        given = {"offer": entries.text("offer")}
    elif act.action == "extend_trial":
        return None
    elif act.action == "erase":
        given = {"force": True, "reason": "preview"}
    elif "kind" in act.fields or "held" in act.fields:
        given = {"kind": entries.text("kind") or "technical"}
    return organisations.preview(desk.session, row.id, act.action, **given)


def _page(desk: Desk, act: Act, row: Organisation, entries: Entries, errors: dict[str, str]) -> Response[str]:
    locale = locale_of(desk.request, desk.staff.locale)
    # The preview looks at each row anew: afterwards the row is read again.
    effects = _preview(desk, act, row, entries)
    row = organisations.get(desk.session, row.id)
    return desk.show(
        "portal/action.html",
        status=422 if errors else 200,
        act=act,
        organisation=row,
        effects=effects,
        effect_words=lambda effect: effect_words(effect, locale),
        effect_tone=effect_tone,
        effect_icon=effect_icon,
        form=Form(entries.values(), errors),
        offers=catalogue.offers(desk.session) if "offer" in act.fields else [],
        holds=organisations.holds(desk.session, row.id, standing_only=True),
        early=row.erase_after is not None and row.erase_after > datetime.now(UTC),
        today=datetime.now(UTC),
    )


def pages_of(act: Act) -> list[HTTPRouteHandler]:
    """The page that tells, and the form that does."""
    path = f"/organisations/{{reference:str}}/{act.path}"
    allowed = [requires(act.permission)]

    @get(path, guards=allowed, sync_to_thread=True)
    def tell(desk: NamedDependency[Desk], reference: FromPath[str]) -> Response[str]:
        row = organisations.find(desk.session, reference)
        return _page(desk, act, row, Entries.of(desk.request.query_params), {})

    @post(path, guards=allowed, sync_to_thread=True)
    def carry_out(
        desk: NamedDependency[Desk], reference: FromPath[str], entries: NamedDependency[Entries]
    ) -> Response[Any]:
        row = organisations.find(desk.session, reference)
        try:
            given = ARGUMENTS[act.action](row, entries)
            with desk.session.begin_nested():
                act.do(desk.session, row.id, actor=desk.actor, **given)
        except (Refusal, Refusals) as wrong:
            errors = field_errors(wrong, locale_of(desk.request, desk.staff.locale))
            return _page(desk, act, row, entries, errors)
        return go(f"/organisations/{row.id}", act.done)

    return [tell, carry_out]


handlers = [handler for act in ACTS for handler in pages_of(act)]
