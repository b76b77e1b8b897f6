"""The public pages, and the form by which a visitor asks for a workspace."""

import re
from email.utils import parseaddr
from typing import Any

from litestar import MediaType, Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect
from sqlalchemy.orm import Session

from control_plane import catalogue, organisations
from control_plane.signup import service
from control_plane.signup.following import authority_of, follow_routes
from control_plane.signup.service import PUBLIC_SECTOR, Wish
from kit.errors import Refusal, Refusals
from kit.interface import N_, Form, field_errors, locale_of, page, render, translator
from kit.settings import ControlPlaneSettings
from kit.web import Csrf, client_ip

AnyRequest = Request[Any, Any, Any]
SMALL = 20_000
ADDRESS = re.compile(r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]")
FIELDS = ("email", "organisation", "address", "offer", "siret", "entity_kind")
LABELS = {
    "email": N_("Your work e-mail"),
    "organisation": N_("Name of the organisation"),
    "address": N_("Address of your workspace"),
    "offer": N_("Your offer"),
    "entity_kind": N_("Kind of public body"),
    "siret": N_("SIRET number"),
    "terms": N_("Terms of use"),
}
KINDS = {
    "commune": N_("Municipality or group of municipalities"),
    "departement": N_("Department"),
    "region": N_("Region"),
    "etat": N_("State service"),
    "etablissement": N_("Public establishment"),
    "hopital": N_("Hospital or care home"),
    "education": N_("School or university"),
    "association": N_("Association with a public mission"),
    "other": N_("Another kind"),
}


@get("/", sync_to_thread=True)
def home(
    request: AnyRequest, session: NamedDependency[Session], settings: NamedDependency[ControlPlaneSettings]
) -> Response[str]:
    """What it is, what it costs."""
    offers = catalogue.offers(session, public_only=True)
    contact = parseaddr(settings.mail_from)[1]
    return page(request, "signup/home.html", offers=offers, contact=contact, featured=PUBLIC_SECTOR)


@get(["/accessibility", "/privacy", "/terms"], sync_to_thread=False)
def text(request: AnyRequest) -> Response[str]:
    """Pages of plain text."""
    return page(request, f"signup{request.url.path.rstrip('/')}.html")


@get("/signup", sync_to_thread=True)
def form(
    request: AnyRequest,
    session: NamedDependency[Session],
    settings: NamedDependency[ControlPlaneSettings],
    csrf: NamedDependency[Csrf],
    offer: FromQuery[str] = "",
) -> Response[str]:
    """The empty form."""
    return _form(request, session=session, settings=settings, csrf=csrf, filled=Form({"offer": offer[:40]}))


def _form(
    request: AnyRequest,
    *,
    session: Session,
    settings: ControlPlaneSettings,
    csrf: Csrf,
    filled: Form,
    status: int = 200,
) -> Response[str]:
    offers = service.offered(session)
    codes = [offer.code for offer in offers]
    chosen = filled.value("offer") if filled.value("offer") in codes else (codes[0] if codes else "")
    return page(
        request,
        "signup/form.html",
        status=status,
        form=filled,
        offers=offers,
        chosen=chosen,
        kinds=KINDS,
        labels=LABELS,
        suffix=settings.workspace_url("").partition("://")[2],
        csrf=csrf.token(request),
        public_sector=PUBLIC_SECTOR,
    )


@post("/signup", sync_to_thread=True, status_code=200, request_max_body_size=SMALL)
def ask(
    request: AnyRequest,
    data: URLEncodedBody[dict[str, str]],
    session: NamedDependency[Session],
    settings: NamedDependency[ControlPlaneSettings],
    csrf: NamedDependency[Csrf],
) -> Response[Any]:
    """Take the wish, or show the form again with every error and all entries kept."""
    values = {name: data.get(name, "")[:300] for name in FIELDS} | {"terms": data.get("terms", "")}
    wish = Wish(**{name: values[name] for name in FIELDS}, terms=values["terms"] == "yes")
    locale = locale_of(request)
    try:
        with session.begin_nested():
            service.request(session, wish, ip=client_ip(request), locale=locale)
    except Refusals as wrong:
        filled = Form(values, field_errors(wrong, locale))
        return _form(request, session=session, settings=settings, csrf=csrf, filled=filled, status=422)
    return Redirect("/signup/sent", status_code=303)


@get("/signup/sent", sync_to_thread=False)
def sent(request: AnyRequest) -> Response[str]:
    """The same page for everybody: the mail says the rest."""
    return page(request, "signup/sent.html")


@get("/signup/address", sync_to_thread=True)
def address(request: AnyRequest, session: NamedDependency[Session], address: FromQuery[str] = "") -> Response[str]:
    """A line about an address, as one types it: free, or why not."""
    locale = locale_of(request)
    answer = organisations.check_address(session, address[:60])
    words = translator(locale).words(answer.refusal) if answer.refusal else None
    body = render(locale, "signup/address.html", refused=words, look_alike=answer.look_alike)
    return Response(body, media_type=MediaType.HTML)


@get("/sign-in", sync_to_thread=False)
def find_workspace(
    request: AnyRequest, settings: NamedDependency[ControlPlaneSettings], csrf: NamedDependency[Csrf]
) -> Response[str]:
    """Every workspace has its own door: this page leads to it."""
    return _find(request, settings, csrf, Form())


def _find(
    request: AnyRequest, settings: ControlPlaneSettings, csrf: Csrf, filled: Form, status: int = 200
) -> Response[str]:
    suffix = settings.workspace_url("").partition("://")[2]
    token = csrf.token(request)
    return page(request, "signup/find.html", status=status, form=filled, suffix=suffix, csrf=token)


@post("/sign-in", sync_to_thread=False, status_code=200, request_max_body_size=SMALL)
def go_to_workspace(
    request: AnyRequest,
    data: URLEncodedBody[dict[str, str]],
    settings: NamedDependency[ControlPlaneSettings],
    csrf: NamedDependency[Csrf],
) -> Response[Any]:
    """Send the browser to the address that was typed; whether a workspace is there, its own door says."""
    typed = data.get("address", "")[:80]
    tidy = typed.strip().lower().removeprefix("http://").removeprefix("https://").strip("/")
    tidy = tidy.partition(settings.workspace_suffix)[0]
    if not ADDRESS.fullmatch(tidy):
        message = "An address has 3 to 40 letters without accents, digits or dashes."
        wrong = Refusal("bad_address", message, field="address")
        filled = Form({"address": typed}, field_errors(wrong, locale_of(request)))
        return _find(request, settings, csrf, filled, 422)
    return Redirect(f"{settings.workspace_url(tidy)}/", status_code=303)


def csrf_of(key: bytes, *older: bytes) -> Csrf:
    """Forged writes are refused by origin, and by a token where this browser's cookie is what authorises them."""
    return Csrf(key, authority_of, older)


def site_routes(csrf: Csrf) -> Router:
    """The public site's routes."""
    return Router(
        "/",
        route_handlers=[home, text, form, ask, sent, address, find_workspace, go_to_workspace, *follow_routes],
        before_request=csrf.check,
        include_in_schema=False,
    )
