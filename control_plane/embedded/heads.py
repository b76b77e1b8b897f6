"""Request heads: read strictly, refused when in doubt, and written anew for the process behind."""

import re
from dataclasses import dataclass

LARGEST_HEAD = 64 * 1024
MOST_HEADERS = 200
REQUEST_LINE = re.compile(rb"([A-Z]{3,20}) (/[!-~\x80-\xff]*) HTTP/1\.([01])")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
HOST = re.compile(r"([a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])\.?(?::([0-9]{1,5}))?")
LENGTH = re.compile(rb"[0-9]{1,15}")

# What concerns one connection only, and what only an edge may say.
DROPPED = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"trailer", b"upgrade"),
        *(b"forwarded", b"x-real-ip", b"x-original-url", b"x-rewrite-url"),
    }
)


class BadHead(Exception):  # noqa: N818 - an answer, not an accident
    """A head that is refused: the status to answer with, and why in a few words."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True)
class Head:
    """A well-formed request head. `length` is the body's, None when it comes in chunks."""

    method: str
    target: bytes
    minor: int
    fields: tuple[tuple[bytes, bytes], ...]
    host: str
    length: int | None

    def forwarded(self, client: str, scheme: str) -> bytes:
        """The head for the process behind: one request on this connection, and who asks."""
        kept = [
            (name, value)
            for name, value in self.fields
            if name.lower() not in DROPPED and not name.lower().startswith(b"x-forwarded-")
        ]
        host = next(value for name, value in self.fields if name.lower() == b"host")
        kept += [
            (b"X-Forwarded-For", client.encode()),
            (b"X-Forwarded-Host", host),
            (b"X-Forwarded-Proto", scheme.encode()),
            (b"Connection", b"close"),
        ]
        first = b"%s %s HTTP/1.%d\r\n" % (self.method.encode(), self.target, self.minor)
        return first + b"".join(b"%s: %s\r\n" % field for field in kept) + b"\r\n"


def parse(raw: bytes) -> Head:
    """Read a head that ends with its empty line; raises BadHead for whatever two readers could read in two ways."""
    lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    first = REQUEST_LINE.fullmatch(lines[0])
    if first is None:
        raise BadHead(400, "the request line is not well formed")
    if len(lines) > MOST_HEADERS:
        raise BadHead(431, "there are too many header fields")
    fields = tuple(_field(line) for line in lines[1:])
    minor = int(first.group(3))
    return Head(first.group(1).decode(), first.group(2), minor, fields, _host(fields), _length(fields, minor))


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = FIELD.fullmatch(line)
    if found is None:
        raise BadHead(400, "a header field is not well formed")
    return found.group(1), found.group(2)


def _values(fields: tuple[tuple[bytes, bytes], ...], name: bytes) -> list[bytes]:
    return [value for key, value in fields if key.lower() == name]


def _host(fields: tuple[tuple[bytes, bytes], ...]) -> str:
    values = _values(fields, b"host")
    if len(values) != 1:
        raise BadHead(400, "there must be one Host")
    found = HOST.fullmatch(values[0].decode("latin-1").lower())
    if found is None:
        raise BadHead(400, "the Host is not well formed")
    return found.group(1)


def _length(fields: tuple[tuple[bytes, bytes], ...], minor: int) -> int | None:
    lengths, codings = _values(fields, b"content-length"), _values(fields, b"transfer-encoding")
    if codings:
        if lengths or len(codings) != 1 or codings[0].lower() != b"chunked" or minor == 0:
            raise BadHead(400, "the length of the body is ambiguous")
        return None
    if not lengths:
        return 0
    if len(lengths) != 1 or not LENGTH.fullmatch(lengths[0]):
        raise BadHead(400, "the length of the body is ambiguous")
    return int(lengths[0])
