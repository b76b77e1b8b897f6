"""What Ceph tells of its users and buckets, and what it is told in XML; only what we look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import msgspec

from control_plane.storage.store import Mode

MASKS: dict[Mode, str] = {"open": "read, write, delete", "read_only": "read", "suspended": "read"}
SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
METHODS = ("GET", "PUT", "HEAD")
CORS_SECONDS = 3600
UNFINISHED_DAYS = 7


class Key(msgspec.Struct):
    """An access key. A gateway may keep the secret back from an administrator with fewer rights."""

    access_key: str
    secret_key: str = ""

    def __repr__(self) -> str:
        return f"Key({self.access_key}, …)"


class Cap(msgspec.Struct):
    """A right of an administrator: `*`, `read` or `write` on one kind of thing."""

    type: str
    perm: str


class User(msgspec.Struct):
    """A user of the gateway."""

    user_id: str
    keys: list[Key]
    suspended: int | bool
    max_buckets: int
    op_mask: str
    caps: list[Cap] = []

    @property
    def operations(self) -> frozenset[str]:
        """What it may do: read, write, delete."""
        return frozenset(part.strip() for part in self.op_mask.split(","))

    @property
    def mode(self) -> Mode:
        """How it stands; what only half opens it counts as read-only."""
        if self.suspended:
            return "suspended"
        return "open" if "write" in self.operations else "read_only"

    def stands(self, mode: Mode) -> bool:
        """Whether it stands in exactly this mode."""
        exact = bool(self.suspended) == (mode == "suspended")
        return exact and self.operations == frozenset(MASKS[mode].split(", "))


class Quota(msgspec.Struct):
    """A bucket's limit; -1 is none."""

    enabled: bool
    max_size: int
    max_objects: int


class Counted(msgspec.Struct):
    """What the gateway counts of one kind of entry: bytes and entries."""

    size: int = 0
    num_objects: int = 0


class BucketInfo(msgspec.Struct):
    """A bucket, with figures of now."""

    bucket: str
    owner: str
    bucket_quota: Quota
    usage: dict[str, Counted] = {}

    @property
    def size(self) -> int:
        """Bytes, those of unfinished uploads included."""
        return sum(one.size for one in self.usage.values())

    @property
    def objects(self) -> int:
        """Entries, those of unfinished uploads included."""
        return sum(one.num_objects for one in self.usage.values())


class Page(msgspec.Struct):
    """A page of names. The last one may be empty: only `truncated` tells."""

    keys: list[str]
    truncated: str = "false"
    marker: str = ""


@dataclass(frozen=True)
class Part:
    """A sub-resource of a bucket as it should be; without `wanted` it should be absent."""

    name: str
    wanted: bytes

    def is_met_by(self, found: bytes) -> bool:
        """Whether what was found (empty for nothing) means the same."""
        return found == self.wanted or (bool(found and self.wanted) and _meaning(found) == _meaning(self.wanted))


def cors(origins: Iterable[str]) -> Part:
    """These origins may read and write from a browser, and see what they wrote."""
    root = ET.Element("CORSConfiguration")
    rule = ET.SubElement(root, "CORSRule")
    _add(rule, "AllowedOrigin", *sorted(set(origins)))
    if not len(rule):
        return Part("cors", b"")
    _add(rule, "AllowedMethod", *METHODS)
    _add(rule, "AllowedHeader", "*")
    _add(rule, "ExposeHeader", "ETag")
    _add(rule, "MaxAgeSeconds", str(CORS_SECONDS))
    return Part("cors", ET.tostring(root))


def lifecycle() -> Part:
    """Uploads that nobody ended end: the last resort, where our own sweep has failed for a week."""
    root = ET.Element("LifecycleConfiguration")
    rule = ET.SubElement(root, "Rule")
    _add(rule, "ID", "unfinished-uploads")
    _add(rule, "Prefix", "")
    _add(rule, "Status", "Enabled")
    ends = ET.SubElement(rule, "AbortIncompleteMultipartUpload")
    _add(ends, "DaysAfterInitiation", str(UNFINISHED_DAYS))
    return Part("lifecycle", ET.tostring(root))


def _meaning(body: bytes) -> tuple[int, list[tuple[str, str]]]:
    root = ET.fromstring(body)  # noqa: S314 - expat bounds what entities may grow to
    leaves = [(_plain(part.tag), (part.text or "").strip()) for part in root.iter() if len(part) == 0]
    # Releases differ in how they tell that a rule is for all objects.
    return len(root), sorted(leaf for leaf in leaves if leaf[0] not in {"Prefix", "Filter"})


def versions(body: bytes) -> list[tuple[str, str]]:
    """Key and version of each entry of a listing that was asked for in the encoding `url`."""
    root = ET.fromstring(body)  # noqa: S314 - the same
    entries = [part for part in root if _plain(part.tag) in {"Version", "DeleteMarker"}]
    return [(unquote(_text(one, "Key")), _text(one, "VersionId")) for one in entries]


def next_version(body: bytes) -> dict[str, str] | None:
    """Where the listing goes on, as parameters; None at its end."""
    root = ET.fromstring(body)  # noqa: S314 - the same
    if _text(root, "IsTruncated") != "true":
        return None
    key, version = unquote(_text(root, "NextKeyMarker")), _text(root, "NextVersionIdMarker")
    return {"key-marker": key, "version-id-marker": version}


def uploads(body: bytes) -> list[tuple[str, str]]:
    """Key and id of each unfinished upload of a listing that was asked for in the encoding `url`."""
    root = ET.fromstring(body)  # noqa: S314 - the same
    return [(unquote(_text(one, "Key")), _text(one, "UploadId")) for one in root if _plain(one.tag) == "Upload"]


def speakable(key: str) -> bool:
    """Whether XML can carry a key; control characters cannot pass, or change on the way."""
    return key.isprintable()


def deletion(entries: Iterable[tuple[str, str]]) -> bytes:
    """The order to delete these versions of these keys, answered with what could not be deleted only."""
    root = ET.Element("Delete")
    _add(root, "Quiet", "true")
    for key, version in entries:
        one = ET.SubElement(root, "Object")
        _add(one, "Key", key)
        _add(one, "VersionId", version)
    return ET.tostring(root)


def undeleted(body: bytes) -> list[str]:
    """The codes by which deletions were refused, one for each entry."""
    root = ET.fromstring(body)  # noqa: S314 - the same
    return [_text(one, "Code") for one in root if _plain(one.tag) == "Error"]


def _add(to: ET.Element, name: str, *texts: str) -> None:
    for text in texts:
        ET.SubElement(to, name).text = text


def _text(of: ET.Element, name: str) -> str:
    found = of.findtext(SPACE + name)
    return found if found is not None else of.findtext(name, "")


def _plain(tag: str) -> str:
    return tag.removeprefix(SPACE)
