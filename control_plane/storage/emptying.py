"""Emptying a bucket and removing it, by its owner's key, a few seconds at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from control_plane.storage import errors, rows
from control_plane.storage.gateway import Gateway
from control_plane.storage.store import AccessKey
from kit.errors import Unavailable
from kit.s3 import Failure

BITE_SECONDS = 5.0
# A gateway deletes some 1,500 objects a second, and more slowly on a busy day: it must answer within ten.
AT_ONCE = 500
GONE = frozenset({"NoSuchBucket", "NoSuchUpload", "NoSuchKey"})


@dataclass
class Emptying:
    """One go at a bucket. `Unavailable("removing")` says that something is left when the time is up.

    However slow the store is, each go takes something away: repeated often enough, they come to an end. `count` tells
    how many entries the bucket holds, for the words.
    """

    gateway: Gateway
    bucket: str
    key: AccessKey
    count: Callable[[], int]
    seconds: float = BITE_SECONDS
    _until: float = 0.0
    _aborted: int = 0
    _deleted: int = 0
    _refused: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Uploads, objects and the bucket are gone."""
        self._until = time.monotonic() + self.seconds
        try:
            self._abort_uploads()
            self._delete_objects()
            if self._refused:
                raise self._stuck()
            self._owner("DELETE")
        except Failure as failure:
            if failure.code == "BucketNotEmpty":
                raise Unavailable("removing", "something was written meanwhile") from failure
            if failure.code != "NoSuchBucket":
                raise

    def _abort_uploads(self) -> None:
        while found := rows.uploads(self._list("uploads", "max-uploads")):
            for key, upload_id in found:
                self._in_time()
                try:
                    self._owner("DELETE", {"uploadId": upload_id}, key=key)
                except Failure as failure:
                    if failure.code not in GONE:
                        raise
                self._aborted += 1

    def _delete_objects(self) -> None:
        """Every version of every object; what is refused stays, and is counted."""
        marker: dict[str, str] = {}
        while True:
            page = self._list("versions", "max-keys", marker)
            found = rows.versions(page)
            if not found:
                return
            self._in_time()
            refused = self._delete(found)
            self._refused += refused
            self._deleted += len(found) - len(refused)
            # The next page begins where this one did, unless something stays there.
            if refused:
                following = rows.next_version(page)
                if following is None:
                    return
                marker = following

    def _delete(self, found: list[tuple[str, str]]) -> list[str]:
        """Delete these versions; the codes of what was refused."""
        spoken = [entry for entry in found if rows.speakable(entry[0])]
        for key, version in found:
            if not rows.speakable(key):
                self._owner("DELETE", {"versionId": version}, key=key)
        return rows.undeleted(self._owner("POST", {"delete": ""}, body=rows.deletion(spoken))) if spoken else []

    def _list(self, what: str, limit: str, marker: dict[str, str] | None = None) -> bytes:
        return self._owner("GET", {what: "", limit: str(AT_ONCE), "encoding-type": "url", **(marker or {})})

    def _owner(self, method: str, params: dict[str, str] | None = None, *, key: str = "", body: bytes = b"") -> bytes:
        path = f"/{self.bucket}/{quote(key, safe='/~')}" if key else f"/{self.bucket}"
        return self.gateway.owner(self.key, method, path, params, body)

    def _in_time(self) -> None:
        done = self._aborted + self._deleted + len(self._refused)
        if not done or time.monotonic() < self._until:
            return
        if self._refused and not self._deleted:
            raise self._stuck()
        raise Unavailable("removing", f"{self.count()} objects left")

    def _stuck(self) -> Exception:
        """What stays is under retention, as far as the bucket has such a thing; else nobody expected it."""
        try:
            self._owner("GET", {"object-lock": ""})
        except Failure as failure:
            codes = ", ".join(sorted(set(self._refused)))
            return Unavailable(errors.REFUSED, f"{len(self._refused)} objects cannot be deleted: {codes}; {failure}")
        return errors.retained()
