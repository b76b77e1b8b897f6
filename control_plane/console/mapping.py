"""Whom a connection lets in and as what: domains, the pilot, attributes, groups that give roles, and a preview."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from control_plane import identity
from control_plane.console import conflicts
from control_plane.console.conflicts import Theirs
from control_plane.console.connection import common, find
from control_plane.console.connections import READERS, WRITERS
from control_plane.console.desk import Desk, go
from control_plane.console.preview import KEPT, SOURCES, Previewed, previewed
from control_plane.console.vendors import OURS, USES
from control_plane.identity import ConnectionChange, ConnectionView
from kit.errors import Refusal, Refusals
from kit.interface import Form
from kit.interface.entries import Entries

GIVEN = ("guest", "member", "administrator")
SPARE = 2
Rows = list[tuple[str, str]]


def _shown(one: ConnectionView) -> dict[str, str]:
    return {
        conflicts.REVISION: str(one.revision),
        "pilot": "\n".join(one.pilot),
        "otherwise": one.otherwise or "",
        "just_in_time": "1" if one.just_in_time else "",
        **{f"attribute.{name}": one.attributes.get(name, "") for name in OURS},
    }


def _draw(
    desk: Desk,
    one: ConnectionView,
    *,
    form: Form | None = None,
    entries: Entries | None = None,
    theirs: Sequence[Theirs] | None = None,
    tried: Sequence[Previewed] | None = None,
) -> Response[str]:
    chosen = entries.all("domains") if entries else list(one.domains)
    proven = [each.name for each in identity.domains(desk.session, desk.organisation_id) if each.proven]
    asked = (entries.text("groups") if entries else desk.request.query_params.get("groups")) or ""
    if tried is None and asked and not entries:
        tried = previewed(desk, one, one.roles, one.otherwise, asked)
    return desk.show(
        "console/mapping.html",
        status=412 if theirs is not None else 422 if form and form.errors else 200,
        theirs=theirs,
        form=form or Form(_shown(one)),
        rows=_rows(entries) if entries else list(one.roles.items()),
        spare=SPARE,
        chosen=chosen,
        domains=sorted({*proven, *one.domains}),
        proven=proven,
        ours=OURS,
        uses=USES,
        given=GIVEN,
        asked=asked,
        preview=tried or (),
        sources=SOURCES,
        kept=KEPT,
        **common(one, "people"),
    )


def _rows(entries: Entries) -> Rows:
    """Group and role of each row, as sent; rows without a group are left out."""
    both = zip(entries.all("group"), entries.all("group_role"), strict=False)
    return [(group, role) for group, role in both if group]


@get("/sign-in/{connection_id:uuid}/people", guards=READERS, sync_to_thread=True)
def show_people(desk: NamedDependency[Desk], connection_id: FromPath[UUID]) -> Response[str]:
    """The mapping, and, with `?groups=`, what it gives."""
    return _draw(desk, find(desk, connection_id))


@post("/sign-in/{connection_id:uuid}/people", guards=WRITERS, sync_to_thread=True)
def change_people(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], connection_id: FromPath[UUID]
) -> Response[Any]:
    """Another mapping, for everybody who signs in from now on."""
    one = find(desk, connection_id)
    try:
        rows = _rows(entries)
        _check(rows)
        change = ConnectionChange(
            domains=entries.all("domains"),
            pilot=entries.text("pilot").replace(",", " ").split(),
            attributes={name: text for name in OURS if (text := entries.text(f"attribute.{name}"))},
            roles=dict(rows),
            otherwise=entries.maybe("otherwise"),
            just_in_time=bool(entries.text("just_in_time")),
        )
        with desk.session.begin_nested():
            asked = (desk.session, desk.settings, desk.organisation_id, one.id, change)
            identity.change_connection(*asked, actor=desk.actor, revision=conflicts.seen(entries))
    except (Refusal, Refusals) as wrong:
        form = conflicts.kept(desk, entries, wrong, just_in_time=entries.text("just_in_time"))
        theirs = conflicts.theirs(desk, entries, wrong, "connection.", one.id)
        return _draw(desk, find(desk, one.id), form=form, entries=entries, theirs=theirs)
    return go(f"/sign-in/{one.id}/people", "saved")


@post("/sign-in/{connection_id:uuid}/people/preview", guards=READERS, sync_to_thread=True, status_code=200)
def preview_people(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], connection_id: FromPath[UUID]
) -> Response[Any]:
    """What the mapping as it is typed makes of the people who are named; nothing is saved."""
    one, rows = find(desk, connection_id), _rows(entries)
    values = {**entries.values(), "just_in_time": entries.text("just_in_time")}
    try:
        _check(rows)
        _check_otherwise(entries)
    except Refusal as wrong:
        return _draw(desk, one, form=Form(values, desk.errors(wrong)), entries=entries)
    tried = previewed(desk, one, dict(rows), entries.maybe("otherwise"), entries.text("groups"))
    return _draw(desk, one, form=Form(values), entries=entries, tried=tried)


def _check_otherwise(entries: Entries) -> None:
    if entries.maybe("otherwise") not in {None, *GIVEN}:
        raise Refusal("unknown_role", "Choose one of the roles.", field="otherwise")


def _check(rows: Rows) -> None:
    groups = [group for group, _ in rows]
    twice = next((group for group in groups if groups.count(group) > 1), None)
    if twice:
        raise Refusal("group_twice", "The group {group} stands here twice.", field="roles", group=twice)
    if any(role not in GIVEN for _, role in rows):
        raise Refusal("unknown_role", "Choose one of the roles.", field="roles")


handlers = [show_people, change_people, preview_people]
