"""If-Match and If-None-Match: nobody writes over what he has not seen."""

from kit.errors import Refusal
from tenant_app.accounts import AnyRequest


def _named(header: str) -> set[str]:
    return {one.strip().removeprefix("W/") for one in header.split(",") if one.strip()}


def require_match(header: str, version: str) -> None:
    """Refuse a write to another version than the one that `If-Match` names (412)."""
    if not _named(header) & {"*", version.removeprefix("W/")}:
        raise stale()


def stale() -> Refusal:
    """Somebody has changed it meanwhile."""
    return Refusal("scim_stale", "This resource has changed: read it again before you write.", status=412)


def unchanged(request: AnyRequest, version: str) -> bool:
    """Whether the reader has this very version already."""
    header = request.headers.get("if-none-match")
    return header is not None and bool(_named(header) & {"*", version.removeprefix("W/")})
