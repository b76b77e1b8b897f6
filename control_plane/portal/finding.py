"""The list of organisations, and the palette that jumps to one."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency

from control_plane import catalogue, organisations, placement
from control_plane.identity import Permission
from control_plane.organisations import Search
from control_plane.portal.desk import Desk, databases_of, requires
from control_plane.portal.figures import figures
from control_plane.portal.health import concerns
from control_plane.portal.words import state_look
from kit.interface import locale_of, translator

READERS = [requires(Permission.ORGANISATIONS_READ)]
CHIPS = ("", "live", "provisioning", "read_only", "suspended", "closing", "failed", "erased")
FILTERS = ("q", "state", "offer", "cell", "sort")
PAGE = 50
PALETTE = 8


def _address(query: dict[str, str], **changed: str) -> str:
    """The list with some of its filters changed; empty ones are left out, a new filter begins at the first page."""
    kept = {name: value for name, value in {**query, **changed}.items() if value}
    return "/organisations" + (f"?{urlencode(kept)}" if kept else "")


@get("/organisations", guards=READERS, sync_to_thread=True)
def list_organisations(desk: NamedDependency[Desk]) -> Response[str]:
    """Search, filters and order stand in the address, so that a view can be sent to a colleague."""
    given = desk.request.query_params
    query = {name: (given.get(name) or "").strip() for name in FILTERS}
    sort = query["sort"] or ("relevance" if query["q"] else "-created")
    found = organisations.search(
        desk.session,
        Search(
            query=query["q"] or None,
            state=query["state"] or None,
            offer=query["offer"] or None,
            cell=query["cell"] or None,
            sort=sort,
            cursor=given.get("cursor") or None,
            limit=PAGE,
        ),
    )
    numbers = figures(desk.session, databases_of(desk.request, desk.session), found.items)
    counted = organisations.counts(desk.session)
    return desk.show(
        "portal/organisations.html",
        page=found,
        figures=numbers,
        concerns={row.id: concerns(row, numbers[row.id]) for row in found.items},
        counts=counted,
        total=sum(counted.values()),
        chips=CHIPS,
        query=query,
        sort=sort,
        filtered=any(query[name] for name in ("q", "state", "offer", "cell")),
        first=not given.get("cursor"),
        address=lambda **changed: _address(query, **changed),
        offers=catalogue.offers(desk.session),
        cells=placement.cells(desk.session),
    )


@get("/palette", guards=READERS, sync_to_thread=True)
def palette(desk: NamedDependency[Desk]) -> Response[list[dict[str, Any]]]:
    """The organisations that fit best, for the palette (Ctrl K)."""
    text = (desk.request.query_params.get("q") or "").strip()[:200]
    words = translator(locale_of(desk.request, desk.staff.locale))
    if len(text) < 2:
        return Response([])
    found = organisations.search(desk.session, Search(query=text, sort="relevance", limit=PALETTE))
    return Response(
        [
            {
                "name": row.name,
                "detail": row.address,
                "state": words(state_look(row.state).text),
                "url": f"/organisations/{row.id}",
            }
            for row in found.items
        ]
    )


handlers = [list_organisations, palette]
