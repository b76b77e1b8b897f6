"""What an S3 gateway says, read into values; and the little that is said to it in XML."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as ET

SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Failure(Exception):  # noqa: N818 - an answer of the gateway
    """The gateway said no: the HTTP status and its `<Code>` (empty where there was no body, as after HEAD)."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.message}".strip()


@dataclass(frozen=True)
class Seen:
    """An object as HEAD shows it: bytes and entity tag (without quotes)."""

    size: int
    etag: str


@dataclass(frozen=True)
class Part:
    """A part of an upload: its number from 1, its bytes, its entity tag (without quotes)."""

    n: int
    size: int
    etag: str


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it."""

    key: str
    size: int
    etag: str
    written_at: datetime


@dataclass(frozen=True)
class Unfinished:
    """A multipart upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    begun_at: datetime


def failure(status: int, body: bytes) -> Failure:
    """What a refusal says."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - expat bounds what entities may grow to
    except ET.ParseError:
        return Failure(status, "", "")
    return Failure(status, root.findtext("Code", ""), root.findtext("Message", ""))


def _tree(body: bytes) -> ET.Element:
    return ET.fromstring(body)  # noqa: S314 - the same


def _text(of: ET.Element, name: str) -> str:
    # With or without the namespace: gateways differ.
    found = of.findtext(SPACE + name)
    return found if found is not None else of.findtext(name, "")


def _all(of: ET.Element, name: str) -> list[ET.Element]:
    return of.findall(SPACE + name) or of.findall(name)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def plain(etag: str) -> str:
    """An entity tag without its quotes."""
    return etag.strip().strip('"')


def upload_id(body: bytes) -> str:
    """The id that a multipart upload was given."""
    return _text(_tree(body), "UploadId")


def parts(body: bytes) -> tuple[list[Part], str | None]:
    """A page of an upload's parts, and the marker of the next page."""
    root = _tree(body)
    found = [
        Part(int(_text(one, "PartNumber")), int(_text(one, "Size")), plain(_text(one, "ETag")))
        for one in _all(root, "Part")
    ]
    return found, _text(root, "NextPartNumberMarker") if _text(root, "IsTruncated") == "true" else None


def listing(body: bytes) -> tuple[list[Listed], str | None]:
    """A page of a bucket's objects, and the token of the next page."""
    root = _tree(body)
    found = [
        Listed(
            _text(one, "Key"),
            int(_text(one, "Size")),
            plain(_text(one, "ETag")),
            _moment(_text(one, "LastModified")),
        )
        for one in _all(root, "Contents")
    ]
    return found, _text(root, "NextContinuationToken") if _text(root, "IsTruncated") == "true" else None


def unfinished(body: bytes) -> tuple[list[Unfinished], tuple[str, str] | None]:
    """A page of a bucket's unfinished uploads, and the two markers of the next page."""
    root = _tree(body)
    found = [
        Unfinished(_text(one, "Key"), _text(one, "UploadId"), _moment(_text(one, "Initiated")))
        for one in _all(root, "Upload")
    ]
    if _text(root, "IsTruncated") != "true":
        return found, None
    return found, (_text(root, "NextKeyMarker"), _text(root, "NextUploadIdMarker"))


def completion(of: Iterable[Part]) -> bytes:
    """The list of parts that makes an upload whole."""
    root = ET.Element("CompleteMultipartUpload")
    for part in of:
        one = ET.SubElement(root, "Part")
        ET.SubElement(one, "PartNumber").text = str(part.n)
        ET.SubElement(one, "ETag").text = f'"{part.etag}"'
    return ET.tostring(root)
