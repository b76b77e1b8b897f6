"""What is read: objects whole or in ranges, under conditions; and lists."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from kit.filestore import objects, shelves, uploads
from kit.filestore.access import Open
from kit.filestore.answers import Answer, date, flag, moment, nodes, quoted, texts, xml
from kit.filestore.asking import Request, number
from kit.filestore.objects import Content
from kit.filestore.refusals import Refused, malformed, missing

RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
OVERRIDES = {
    "response-content-type": "content-type",
    "response-content-disposition": "content-disposition",
    "response-cache-control": "cache-control",
}
MOST_LISTED = 1000


def get(opened: Open, request: Request, _body: bytes) -> Answer:
    """The object, or a range of it. Who sends the answer closes its content."""
    content = objects.opened(objects.path_of(opened.folder, request.key))
    if content is None:
        raise missing("NoSuchKey")
    try:
        return _answer(content, request)
    except BaseException:
        content.close()
        raise


def _answer(content: Content, request: Request) -> Answer:
    headers = {
        "etag": quoted(content.etag),
        "last-modified": date(content.written_at),
        "accept-ranges": "bytes",
    }
    _check_conditions(content, request, headers)
    headers["content-type"] = "application/octet-stream"
    headers["x-content-type-options"] = "nosniff"
    for name, header in OVERRIDES.items():
        if request.params.get(name):
            headers[header] = _harmless(name, request.params[name])
    part = _range(content, request)
    if part is None:
        return Answer(200, headers, content=content, end=content.size)
    headers["content-range"] = f"bytes {part[0]}-{part[1] - 1}/{content.size}"
    return Answer(206, headers, content=content, start=part[0], end=part[1])


def _harmless(name: str, value: str) -> str:
    if CONTROL.search(value):
        raise malformed(f"{name} holds control characters.")
    return value


def _check_conditions(content: Content, request: Request, headers: dict[str, str]) -> None:
    told = request.headers
    if not _holds(told.get("if-match"), content.etag):
        raise Refused(412, "PreconditionFailed", "The object has another entity tag.")
    since = _seconds(told.get("if-unmodified-since"))
    if "if-match" not in told and since is not None and int(content.written_at) > since:
        raise Refused(412, "PreconditionFailed", "The object was written later.")
    since = _seconds(told.get("if-modified-since"))
    unchanged = since is not None and int(content.written_at) <= since
    if "if-none-match" in told:
        unchanged = _holds(told["if-none-match"], content.etag)
    if unchanged:
        raise Refused(304, "NotModified", headers=headers)


def _holds(tags: str | None, etag: str) -> bool:
    if tags is None or tags.strip() == "*":
        return True
    return etag in {one.strip().removeprefix("W/").strip('"') for one in tags.split(",")}


def _seconds(told: str | None) -> float | None:
    if told is None:
        return None
    try:
        found = parsedate_to_datetime(told)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _range(content: Content, request: Request) -> tuple[int, int] | None:
    """From where to before where; None for all of it, as for several ranges or none that is understood."""
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or asked[1] is asked[2] is None:
        return None
    if request.headers.get("if-range", quoted(content.etag)) != quoted(content.etag):
        return None
    size = content.size
    if asked[1] is None:
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(size, int(asked[2]) + 1 if asked[2] else size)
        if asked[2] and int(asked[2]) < start:
            return None
    if start >= end:
        raise Refused(416, "InvalidRange", f"The object has {size} bytes.", {"content-range": f"bytes */{size}"})
    return start, end


def head_bucket(_opened: Open, _request: Request, _body: bytes) -> Answer:
    """The bucket is there, and the asker's."""
    return Answer()


def listing(opened: Open, request: Request, _body: bytes) -> Answer:
    """A page of the bucket's objects, by key."""
    params = request.params
    if params["list-type"] != "2" or params.get("delimiter", "/") not in {"", "/"}:
        raise malformed("Lists are of type 2; keys hold no delimiter but /.")
    limit = number(params, "max-keys", MOST_LISTED, MOST_LISTED)
    prefix, after = params.get("prefix", ""), params.get("continuation-token") or params.get("start-after", "")
    page = shelves.page(opened.folder, after, prefix, limit + 1)
    listed, more = page[:limit], len(page) > limit > 0
    rows = [row for key in listed if (row := _row(opened, key)) is not None]
    told = {
        "Name": request.bucket,
        "Prefix": prefix,
        "StartAfter": params.get("start-after"),
        "ContinuationToken": params.get("continuation-token"),
        "NextContinuationToken": listed[-1] if more else None,
        "KeyCount": len(rows),
        "MaxKeys": limit,
        "EncodingType": params.get("encoding-type"),
        "IsTruncated": flag(more),
    }
    return xml("ListBucketResult", texts(told), nodes("Contents", rows))


def _row(opened: Open, key: str) -> dict[str, object] | None:
    content = objects.opened(objects.path_of(opened.folder, key))
    if content is None:
        return None
    with content:
        return {
            "Key": key,
            "LastModified": moment(content.written_at),
            "ETag": quoted(content.etag),
            "Size": content.size,
            "StorageClass": "STANDARD",
        }


def unfinished(opened: Open, request: Request, _body: bytes) -> Answer:
    """A page of the uploads that were begun and not ended, by key and then by their beginning."""
    params = request.params
    limit = number(params, "max-uploads", MOST_LISTED, MOST_LISTED)
    prefix = params.get("prefix", "")
    after = (params.get("key-marker", ""), params.get("upload-id-marker", ""))
    # Without the second marker, a key's uploads are all behind the marker or none is.
    begin = after if after[1] else (after[0], "~")
    found = [one for one in uploads.unfinished(opened.folder) if one.key.startswith(prefix)]
    found = [one for one in found if not after[0] or (one.key, one.upload) > begin]
    page, more = found[:limit], len(found) > limit > 0
    told = {
        "Bucket": request.bucket,
        "Prefix": prefix,
        "KeyMarker": after[0],
        "UploadIdMarker": after[1],
        "NextKeyMarker": page[-1].key if more else None,
        "NextUploadIdMarker": page[-1].upload if more else None,
        "MaxUploads": limit,
        "IsTruncated": flag(more),
    }
    rows = ({"Key": one.key, "UploadId": one.upload, "Initiated": moment(one.begun_at)} for one in page)
    return xml("ListMultipartUploadsResult", texts(told), nodes("Upload", rows))


def parts(opened: Open, request: Request, _body: bytes) -> Answer:
    """A page of the parts of an upload that have arrived."""
    params = request.params
    limit = number(params, "max-parts", MOST_LISTED, MOST_LISTED)
    after = number(params, "part-number-marker", 0, uploads.MOST_PARTS)
    found = [part for part in uploads.parts(opened.folder, request.key, params["uploadId"]) if part.n > after]
    page, more = found[:limit], len(found) > limit > 0
    told = {
        "Bucket": request.bucket,
        "Key": request.key,
        "UploadId": params["uploadId"],
        "PartNumberMarker": after,
        "NextPartNumberMarker": page[-1].n if page else after,
        "MaxParts": limit,
        "IsTruncated": flag(more),
    }
    rows = (
        {"PartNumber": p.n, "LastModified": moment(p.written_at), "ETag": quoted(p.etag), "Size": p.size} for p in page
    )
    return xml("ListPartsResult", texts(told), nodes("Part", rows))
