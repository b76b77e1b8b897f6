"""One connection: its stage, its test, what is to be copied there, what we know of the other side."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from litestar import MediaType, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from control_plane import identity
from control_plane.console import conflicts
from control_plane.console.conflicts import Theirs
from control_plane.console.connections import READERS, WRITERS
from control_plane.console.desk import Desk, go
from control_plane.console.traces import run_of
from control_plane.console.vendors import OURS, USES, VENDORS
from control_plane.console.ways import STAGES
from control_plane.console.words import KINDS, STAGE_LOOKS
from control_plane.identity import ConnectionChange, ConnectionView
from kit.db import transaction
from kit.errors import Refusal, Refusals
from kit.interface import Form, render
from kit.interface.entries import Entries

SAML_FIELDS = ("entity_id", "sso_url", "sso_binding", "slo_url")
OIDC_FIELDS = ("issuer", "client_id", "auth_method")
FLAGS = ("sign_requests", "allow_idp_initiated")
END = "-----END CERTIFICATE-----"
NEXT = {"draft": "tested", "tested": "pilot", "pilot": "enforced"}


def common(one: ConnectionView, tab: str) -> dict[str, Any]:
    """What each page of a connection shows in its head."""
    return {
        "one": one,
        "tab": tab,
        "vendor": VENDORS.get(one.vendor, VENDORS["generic"]),
        "kinds": KINDS,
        "stages": STAGE_LOOKS,
        "order": STAGES,
        "reached": STAGES.index(one.stage),
    }


def find(desk: Desk, connection_id: UUID) -> ConnectionView:
    """The connection of this very organisation; another one's does not exist."""
    return identity.connection(desk.session, desk.organisation_id, connection_id)


def shown(one: ConnectionView) -> dict[str, str]:
    """The other side as the form shows it. A secret is never in it."""
    kept = {name: str(one.settings.get(name) or "") for name in (*SAML_FIELDS, *OIDC_FIELDS)}
    scopes = " ".join(one.settings.get("scopes") or ())
    return {
        **kept,
        conflicts.REVISION: str(one.revision),
        "scopes": scopes,
        "name": one.name,
        "metadata_url": one.metadata_url or "",
        "sign_requests": "1" if one.settings.get("sign_requests") else "",
        "allow_idp_initiated": "1" if one.settings.get("allow_idp_initiated") else "",
    }


def draw(
    desk: Desk,
    one: ConnectionView,
    *,
    form: Form | None = None,
    wrong: dict[str, str] | None = None,
    theirs: Sequence[Theirs] | None = None,
) -> Response[str]:
    """The page. `wrong` belongs to the stage or the test, `form` to what was entered, `theirs` to who came first."""
    traces = identity.traces(desk.session, desk.organisation_id, one.id, limit=20)
    last = next((run_of(trace) for trace in traces if trace.purpose == "test"), None)
    following = NEXT.get(one.stage)
    return desk.show(
        "console/connection.html",
        status=412 if theirs is not None else 422 if form or wrong else 200,
        addresses=identity.addresses(desk.settings, desk.organisation, one),
        ours=OURS,
        uses=USES,
        last=last,
        following=following,
        obstacles=_obstacles(desk, one, following),
        form=form or Form(shown(one)),
        wrong=wrong or {},
        theirs=theirs,
        **common(one, "connection"),
    )


def _obstacles(desk: Desk, one: ConnectionView, stage: str | None) -> list[Refusal]:
    if stage is None:
        return []
    found: list[Refusal] = identity.obstacles(desk.session, desk.organisation_id, one.id, stage)
    return found


@get("/sign-in/{connection_id:uuid}", guards=READERS, sync_to_thread=True)
def show_connection(desk: NamedDependency[Desk], connection_id: FromPath[UUID]) -> Response[str]:
    """Where it stands and what to do next."""
    return draw(desk, find(desk, connection_id))


def _change(entries: Entries, one: ConnectionView) -> ConnectionChange:
    """What the form says of the other side. Metadata comes before fields; an empty secret keeps the old one."""
    name = entries.text("name") or one.name
    if one.kind == "oidc":
        return ConnectionChange(name=name, settings=_of_oidc(entries))
    flags: dict[str, Any] = {flag: bool(entries.text(flag)) for flag in FLAGS}
    way = entries.text("way", "url")
    if way == "fields":
        return ConnectionChange(name=name, metadata_url=None, settings={**_of_fields(entries), **flags})
    field = f"metadata_{way}"
    if not entries.text(field):
        message = "Give the metadata of your directory, or choose another way to tell us."
        raise Refusal("metadata_missing", message, field=field)
    if way == "xml":
        return ConnectionChange(name=name, metadata_url=None, metadata_xml=entries.text(field), settings=flags)
    return ConnectionChange(name=name, metadata_url=entries.text(field), settings=flags)


def _of_oidc(entries: Entries) -> dict[str, Any]:
    given: dict[str, Any] = {name: entries.text(name) for name in OIDC_FIELDS}
    given["scopes"] = entries.text("scopes").split() or ["openid", "email", "profile"]
    if entries.secret("client_secret"):
        given["client_secret"] = entries.secret("client_secret").strip()
    return given


def _of_fields(entries: Entries) -> dict[str, Any]:
    given: dict[str, Any] = {name: entries.text(name) or None for name in SAML_FIELDS}
    given["sso_binding"] = entries.text("sso_binding") or "redirect"
    pasted = entries.text("certificates")
    return given | ({"certificates": _certificates(pasted)} if pasted else {})


def _certificates(pasted: str) -> list[str]:
    """Certificates as they were pasted: several in PEM, or one in base64."""
    if END not in pasted:
        return [pasted]
    return [f"{part.strip()}\n{END}" for part in pasted.split(END) if part.strip()]


def _beside(found: Mapping[str, str], one: ConnectionView, way: str) -> dict[str, str]:
    """Errors by the form's own fields: what has another name below, or none, stands where it was typed."""
    whole = {"url": "metadata_url", "xml": "metadata_xml", "fields": "certificates"}.get(way, "metadata_url")
    if one.kind == "oidc":
        whole = "issuer"
    errors = {name.removeprefix("settings."): text for name, text in found.items()}
    known = {"name", "client_secret", "scopes", "certificates", "metadata_url", "metadata_xml"}
    return {name if name in known | {*SAML_FIELDS, *OIDC_FIELDS} else whole: text for name, text in errors.items()}


@post("/sign-in/{connection_id:uuid}", guards=WRITERS, sync_to_thread=True)
def change_connection(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], connection_id: FromPath[UUID]
) -> Response[Any]:
    """Take over the other side, or say beside each field what is wrong with it."""
    one = find(desk, connection_id)
    try:
        with desk.session.begin_nested():
            change, seen = _change(entries, one), conflicts.seen(entries)
            asked = (desk.session, desk.settings, desk.organisation_id, one.id, change)
            identity.change_connection(*asked, actor=desk.actor, revision=seen)
    except (Refusal, Refusals) as wrong:
        form = conflicts.kept(desk, entries, wrong, **{name: entries.text(name) for name in FLAGS})
        errors = _beside(form.errors, one, entries.text("way", "url"))
        theirs = conflicts.theirs(desk, entries, wrong, "connection.", one.id)
        return draw(desk, find(desk, one.id), form=Form(form.values, errors), theirs=theirs)
    return go(f"/sign-in/{one.id}#theirs", "saved")


@post("/sign-in/{connection_id:uuid}/refresh", guards=WRITERS, sync_to_thread=True)
def refresh(desk: NamedDependency[Desk], connection_id: FromPath[UUID]) -> Response[Any]:
    """Read the metadata again, now."""
    one = find(desk, connection_id)
    try:
        with desk.session.begin_nested():
            identity.refresh_metadata(desk.session, desk.settings, desk.organisation_id, one.id, actor=desk.actor)
    except (Refusal, Refusals) as wrong:
        errors = {"metadata_url": " ".join(desk.errors(wrong).values())}
        return draw(desk, one, form=Form(shown(one), errors))
    return go(f"/sign-in/{one.id}#theirs", "refreshed")


@post("/sign-in/{connection_id:uuid}/test", guards=WRITERS, sync_to_thread=True, status_code=200)
def test_connection(desk: NamedDependency[Desk], connection_id: FromPath[UUID]) -> Response[Any]:
    """A real sign-in that opens no session. A page leads there, since a form may not end at another host's door."""
    one = find(desk, connection_id)
    try:
        # A transaction of its own: only what is committed reaches the workspace, and the next page is its door.
        with transaction(desk.session.get_bind()) as own:
            run = identity.start_test(own, desk.settings, desk.organisation_id, one.id, actor=desk.actor)
    except (Refusal, Refusals) as wrong:
        return draw(desk, one, wrong=desk.errors(wrong))
    identity.wait_for_test(desk.session, desk.organisation_id, run)
    words = render(
        desk.locale,
        "console/test.html",
        url=run.url,
        one=one,
        other_locale=desk.locale,
        other_locale_url="",
        csrf="",
        path=desk.request.url.path,
    )
    return Response(words, media_type=MediaType.HTML)


@post("/sign-in/{connection_id:uuid}/stage", guards=WRITERS, sync_to_thread=True)
def stage_connection(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], connection_id: FromPath[UUID]
) -> Response[Any]:
    """One stage on, or back."""
    one, stage = find(desk, connection_id), entries.text("stage")
    if stage not in STAGES:
        return draw(desk, one, wrong=desk.errors(Refusal("stage_unknown", "Choose one of the stages.")))
    try:
        with desk.session.begin_nested():
            seen = conflicts.seen(entries)
            identity.stage_connection(
                desk.session, desk.organisation_id, one.id, stage, actor=desk.actor, revision=seen
            )
    except (Refusal, Refusals) as wrong:
        return _refused(desk, entries, wrong, one)
    return go(f"/sign-in/{one.id}", f"stage-{stage}")


def _refused(desk: Desk, entries: Entries, wrong: Refusal | Refusals, one: ConnectionView) -> Response[str]:
    theirs = conflicts.theirs(desk, entries, wrong, "connection.", one.id)
    return draw(desk, find(desk, one.id), wrong=None if theirs is not None else desk.errors(wrong), theirs=theirs)


@post("/sign-in/{connection_id:uuid}/removal", guards=WRITERS, sync_to_thread=True)
def remove_connection(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], connection_id: FromPath[UUID]
) -> Response[Any]:
    """Gone, once its name was typed: nobody comes in by it any more."""
    one = find(desk, connection_id)
    if entries.text("confirm_name") != one.name:
        message = "Type the connection's name exactly: {name}."
        differs = Refusal("name_differs", message, field="confirm_name", name=one.name)
        return draw(desk, one, wrong=desk.errors(differs))
    try:
        with desk.session.begin_nested():
            seen = conflicts.seen(entries)
            identity.remove_connection(desk.session, desk.organisation_id, one.id, actor=desk.actor, revision=seen)
    except (Refusal, Refusals) as wrong:
        return _refused(desk, entries, wrong, one)
    return go("/sign-in", "connection-removed")


handlers = [show_connection, change_connection, refresh, test_connection, stage_connection, remove_connection]
