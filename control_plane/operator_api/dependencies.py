"""What handlers are given: the request's transaction, who acts, the organisation meant, the version they saw."""

import re
from typing import Annotated, Any

from anyio import to_thread
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter
from sqlalchemy.orm import Session

from control_plane import organisations
from control_plane.audit import Actor
from control_plane.operator_api.idempotency import Once, checked_key, fingerprint
from control_plane.operator_api.reading import ApiRequest
from control_plane.operator_api.transacting import WORK, Work
from control_plane.organisations import Organisation
from kit.db import vault_of
from kit.errors import Refusal
from kit.web import request_id

ETAG = re.compile(r'"(?P<revision>\d{1,18})"')
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", description="The ETag of what you read; the write is refused if it changed since."
    ),
]
Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Your name for this request, 1 to 200 visible ASCII characters. Asking again with the same key and "
        "body gives the same answer, marked Idempotency-Replayed, and does nothing twice. Kept for at least 24 hours.",
    ),
]


async def provide_session(request: ApiRequest) -> Session:
    """The request's transaction."""
    work: Work = request.scope["state"][WORK]
    return work.session


async def provide_actor(request: ApiRequest) -> Actor:
    """The token acts."""
    return Actor("token", str(request.auth.id), request.auth.name, request_id(request) or None)


async def provide_once(request: ApiRequest, session: NamedDependency[Session], idempotency_key: Key = None) -> Once:
    """Keyed by the header Idempotency-Key."""
    key = checked_key(idempotency_key)
    mark = fingerprint(request.method, request.url.path, request.url.query, await request.body()) if key else b""
    return Once(session, vault_of(session), request.auth.id, key, mark)


async def provide_organisation(reference: FromPath[str], session: NamedDependency[Session]) -> Organisation:
    """By id or address.

    Waited for even when another dependency refuses meanwhile: the session is closed only when no thread uses it.
    """
    return await to_thread.run_sync(organisations.find, session, reference)


async def provide_revision(organisation: NamedDependency[Organisation], if_match: IfMatch = None) -> int:
    """The revision that the caller saw, wanted on every write to what exists."""
    return seen(if_match, organisation.revision)


def seen(if_match: str | None, current: int) -> int:
    """The version in If-Match, if it is the current one; 428 without, 412 when it is another."""
    if if_match is None:
        raise Refusal(
            "if_match_missing",
            "Send If-Match with the ETag that you read, so that nobody's change is lost.",
            status=428,
            field="If-Match",
        )
    found = ETAG.fullmatch(if_match.strip())
    if found is None or int(found["revision"]) != current:
        raise Refusal(
            "stale", "It changed since you read it: it is at version {current} now.", status=412, current=current
        )
    return current


def etag(revision: int) -> dict[str, Any]:
    """The header that carries a version."""
    return {"ETag": f'"{revision}"'}
