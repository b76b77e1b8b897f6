"""A request as the gateway reads it: once, strictly. What could be read in two ways is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_plus

from kit.filestore.refusals import Refused, malformed, unbuilt

READING = frozenset({"GET", "HEAD"})
CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})
MOST_BYTES = 5 * 1024**3
KNOWN_AMZ = frozenset({"x-amz-content-sha256", "x-amz-date", "x-amz-user-agent", "x-amz-checksum-sha256"})


@dataclass(frozen=True)
class Request:
    """`path` is decoded, `params` and `headers` too; names of headers are in lower case, values trimmed."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def bucket(self) -> str:
        """The first part of the path."""
        return self.path[1:].partition("/")[0]

    @property
    def key(self) -> str:
        """What follows the bucket in the path."""
        return self.path[1:].partition("/")[2]

    @property
    def length(self) -> int:
        """How many bytes of body are announced; none when nothing is."""
        told = self.headers.get("content-length", "0")
        if not (told.isascii() and told.isdigit()):
            raise malformed("Content-Length is not a number.")
        return int(told)

    def body_length(self) -> int:
        """How many bytes an upload will bring; it must say so beforehand."""
        if "content-length" not in self.headers:
            raise Refused(411, "MissingContentLength", "An upload says its length.")
        if self.length > MOST_BYTES:
            raise Refused(400, "EntityTooLarge", f"One upload, or one part, has at most {MOST_BYTES} bytes.")
        return self.length


def read(scope: Mapping[str, Any]) -> Request:
    """The request of an ASGI scope."""
    try:
        path = unquote(scope["raw_path"].decode("ascii"), errors="strict")
        params = _params(scope["query_string"].decode("ascii"))
        headers = _headers(scope["headers"])
    except UnicodeDecodeError as error:
        raise Refused(400, "InvalidURI", "Addresses and headers are text.") from error
    return Request(scope["method"], path, params, headers)


def _params(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in query.split("&") if query else ():
        name, _, value = one.partition("=")
        # A plus is a space here, as servers read it; who means a plus signs and sends %2B.
        name = unquote_plus(name, errors="strict")
        # The first or the last? Whoever signs one thing must not have another thing done.
        if name in found:
            raise malformed(f"The parameter {name} comes twice.")
        found[name] = unquote_plus(value, errors="strict")
    return found


def _headers(pairs: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = raw_name.decode("ascii").lower()
        value = " ".join(raw_value.decode("latin-1").split())
        if name in found and (name.startswith("x-amz-") or name in ONCE):
            raise Refused(400, "InvalidRequest", f"The header {name} comes twice.")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


ONCE = frozenset({"host", "authorization", "content-length", "content-md5", "content-type", "date", "origin", "range"})


def check_headers(request: Request) -> None:
    """Refuse what would change the meaning of a request and is not built, rather than leave it out in silence."""
    if request.method not in READING and CONDITIONS & request.headers.keys():
        raise unbuilt("Only reading can be made to depend on a condition.")
    for name in request.headers:
        if name.startswith("x-amz-server-side-encryption"):
            raise unbuilt("This store has no tenant keys: it cannot encrypt by key (x-amz-server-side-encryption).")
        if name.startswith("x-amz-") and name not in KNOWN_AMZ:
            raise unbuilt(f"This store does not know the header {name}.")
    if request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        raise unbuilt("Bodies in signed chunks are not taken; sign UNSIGNED-PAYLOAD or the digest.")
    if "aws-chunked" in request.headers.get("content-encoding", ""):
        raise unbuilt("Bodies in aws-chunked encoding are not taken.")


def number(params: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number among the parameters, from 0 to `most`; more is cut down to it."""
    told = params.get(name)
    if not told:
        return default
    if not (told.isascii() and told.isdigit() and len(told) < 12):
        raise malformed(f"{name} is not a number.")
    return min(int(told), most)
