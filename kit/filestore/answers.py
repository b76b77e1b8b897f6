"""What the gateway says, in S3's words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from xml.sax.saxutils import escape

from kit.filestore.objects import Content
from kit.filestore.refusals import Refused

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass(frozen=True)
class Answer:
    """A status, headers, and either a body at hand or the bytes from `start` to before `end` of an open object."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Content | None = None
    start: int = 0
    end: int = 0

    @property
    def length(self) -> int:
        """The bytes of the body."""
        return self.end - self.start if self.content else len(self.body)


def refusal(refused: Refused, resource: str, request_id: str) -> Answer:
    """A refusal as S3 writes it."""
    headers = {"content-type": "application/xml", **refused.headers}
    if refused.status == 304:
        return Answer(304, refused.headers)
    body = _node(
        "Error",
        _text("Code", refused.code),
        _text("Message", refused.message),
        _text("Resource", resource),
        _text("RequestId", request_id),
    )
    return Answer(refused.status, headers, (HEAD + body).encode())


def xml(name: str, *inner: str) -> Answer:
    """A document."""
    body = f"{HEAD}<{name} {SPACE}>{''.join(inner)}</{name}>"
    return Answer(200, {"content-type": "application/xml"}, body.encode())


def _node(name: str, *inner: str) -> str:
    return f"<{name}>{''.join(inner)}</{name}>"


def _text(name: str, value: object) -> str:
    return f"<{name}>{escape(str(value))}</{name}>"


def texts(values: Mapping[str, object]) -> str:
    """Elements with text; a None is left out."""
    return "".join(_text(name, value) for name, value in values.items() if value is not None)


def nodes(name: str, each: Iterable[Mapping[str, object]]) -> str:
    """As many elements of this name, each with these texts."""
    return "".join(_node(name, texts(one)) for one in each)


def flag(value: bool) -> str:
    """A truth value as XML has it."""
    return "true" if value else "false"


def moment(seconds: float) -> str:
    """A moment in a document, in UTC to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date(seconds: float) -> str:
    """A moment in a header."""
    return formatdate(int(seconds), usegmt=True)


def quoted(etag: str) -> str:
    """An entity tag as it is sent."""
    return f'"{etag}"'
