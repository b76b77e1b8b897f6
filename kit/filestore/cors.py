"""What pages of other sites may do with a bucket: those that are named, and what the workspace's pages need."""

from kit.filestore import access
from kit.filestore.answers import Answer
from kit.filestore.asking import Request
from kit.filestore.refusals import denied, malformed, missing
from kit.filestore.store import FileStore

METHODS = ("GET", "HEAD", "PUT")
HEADERS = frozenset({"content-type", "content-md5", "range", "x-amz-content-sha256"})
ENCRYPTION = "x-amz-server-side-encryption"
KNOWN_SECONDS = "3600"
VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def headers(store: FileStore, request: Request) -> dict[str, str]:
    """What lets the asking page read the answer, if it may."""
    origin = request.headers.get("origin")
    if origin is None:
        return {}
    row = access.bucket_row(store, request.bucket)
    if row is None or origin not in row.origins:
        return {"vary": VARY}
    exposed = "ETag, Content-Range, Content-Length, Accept-Ranges"
    return {"access-control-allow-origin": origin, "access-control-expose-headers": exposed, "vary": VARY}


def preflight(store: FileStore, request: Request) -> Answer:
    """Whether a page of this origin may make such a call. Nobody signs this question."""
    if "origin" not in request.headers or "access-control-request-method" not in request.headers:
        raise malformed("A preflight names a page's origin and a method.")
    if access.bucket_row(store, request.bucket) is None:
        raise missing("NoSuchBucket")
    told = headers(store, request)
    asked = request.headers.get("access-control-request-headers", "").lower()
    names = [name.strip() for name in asked.split(",") if name.strip()]
    allowed = all(name in HEADERS or name.startswith(ENCRYPTION) for name in names)
    method = request.headers["access-control-request-method"]
    if "access-control-allow-origin" not in told or method not in METHODS or not allowed:
        raise denied("Pages of this origin may not make this call.")
    told["access-control-allow-methods"] = ", ".join(METHODS)
    told["access-control-max-age"] = KNOWN_SECONDS
    if names:
        told["access-control-allow-headers"] = ", ".join(names)
    return Answer(200, told)
