"""What is written: objects and parts from a stream of bytes, uploads begun, completed and ended, objects deleted."""

import base64
import binascii
import re
from xml.etree import ElementTree as ET

from kit.filestore import arriving, disk, objects, signatures, uploads
from kit.filestore.access import Open
from kit.filestore.answers import Answer, nodes, quoted, texts, xml
from kit.filestore.arriving import Arrival, Expected
from kit.filestore.asking import Request
from kit.filestore.refusals import Refused, malformed

MOST_DELETED = 1000
ETAG = re.compile(r'"?([0-9a-f]{32})"?')


def expected(request: Request) -> Expected:
    """What the body must be, by what was signed and said."""
    told = request.headers.get("content-md5")
    if told is not None and not _is_md5(told):
        raise Refused(400, "InvalidDigest", "Content-MD5 is no MD5 in base64.")
    return Expected(request.body_length(), signatures.payload(request), told)


def _is_md5(told: str) -> bool:
    try:
        return len(base64.b64decode(told, validate=True)) == 16
    except binascii.Error:
        return False


def begin(opened: Open, request: Request) -> Arrival:
    """Make room for an object or a part. What is too much already is refused before it is sent."""
    wanted = expected(request)
    if "uploadId" in request.params:
        _part_number(request)
        uploads.known(opened.folder, request.key, request.params["uploadId"])
    elif wanted.size:
        _room(opened, request, wanted.size)
    return Arrival.begin(opened.folder, request.key, wanted)


def _room(opened: Open, request: Request, size: int) -> None:
    replaced = objects.size_of(objects.path_of(opened.folder, request.key)) or 0
    limit = opened.row.quota_bytes
    if limit is not None and size > replaced and disk.count(opened.folder) + size - replaced > limit:
        raise arriving.full()


def land(opened: Open, request: Request, arrived: Arrival) -> Answer:
    """What has arrived is the object, or the part, once this returns."""
    upload = request.params.get("uploadId")
    arrived.finish(tagged=upload is None)
    if upload is None:
        arriving.place(opened.folder, request.key, arrived)
    else:
        uploads.put(opened.folder, request.key, upload, _part_number(request), arrived)
    return Answer(200, {"etag": quoted(arrived.etag)})


def _part_number(request: Request) -> int:
    told = request.params["partNumber"]
    if not re.fullmatch(r"[0-9]{1,5}", told) or not 1 <= int(told) <= uploads.MOST_PARTS:
        raise malformed(f"Parts are numbered from 1 to {uploads.MOST_PARTS}.")
    return int(told)


def start(opened: Open, request: Request, _body: bytes) -> Answer:
    """Begin an upload in parts."""
    upload = uploads.begin(opened.folder, request.key)
    told = {"Bucket": request.bucket, "Key": request.key, "UploadId": upload}
    return xml("InitiateMultipartUploadResult", texts(told))


def complete(opened: Open, request: Request, body: bytes) -> Answer:
    """Make the object of its parts."""
    etag = uploads.complete(opened.folder, request.key, request.params["uploadId"], _listed(body))
    location = f"/{request.bucket}/{request.key}"
    told = {"Location": location, "Bucket": request.bucket, "Key": request.key, "ETag": quoted(etag)}
    return xml("CompleteMultipartUploadResult", texts(told))


def _tree(body: bytes) -> ET.Element:
    if b"<!" in body:
        raise Refused(400, "MalformedXML", "A list needs no declarations.")
    try:
        # Declarations are refused above: nothing can grow.
        return ET.fromstring(body)  # noqa: S314
    except ET.ParseError as error:
        raise Refused(400, "MalformedXML", str(error)) from error


def _listed(body: bytes) -> list[tuple[int, str]]:
    found = []
    for part in _tree(body).iterfind("{*}Part"):
        n, etag = part.findtext("{*}PartNumber", "").strip(), ETAG.fullmatch(part.findtext("{*}ETag", "").strip())
        if not re.fullmatch(r"[0-9]{1,5}", n) or etag is None:
            raise Refused(400, "InvalidPart", f"Part {n} has no entity tag of a part.")
        found.append((int(n), etag[1]))
    return found


def abort(opened: Open, request: Request, _body: bytes) -> Answer:
    """End an upload; its parts are gone."""
    uploads.abort(opened.folder, request.key, request.params["uploadId"])
    return Answer(204)


def delete_many(opened: Open, request: Request, body: bytes) -> Answer:  # noqa: ARG001 - an operation's shape
    """Up to 1,000 objects are gone; any may have been gone before."""
    root = _tree(body)
    keys = [one.findtext("{*}Key", "") for one in root.iterfind("{*}Object")]
    if not 0 < len(keys) <= MOST_DELETED:
        raise Refused(400, "MalformedXML", f"From 1 to {MOST_DELETED} keys are deleted at once.")
    for key in keys:
        # Any other key cannot be here.
        if disk.OBJECT.fullmatch(key):
            arriving.remove(opened.folder, key)
    quiet = root.findtext("{*}Quiet", "").strip() == "true"
    return xml("DeleteResult", nodes("Deleted", [] if quiet else [{"Key": key} for key in keys]))


def delete(opened: Open, request: Request, _body: bytes) -> Answer:
    """The object is gone; it may have been gone before."""
    arriving.remove(opened.folder, request.key)
    return Answer(204)
