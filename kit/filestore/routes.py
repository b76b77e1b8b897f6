"""Which request is which operation. What is not listed here is not built, and says so."""

from collections.abc import Callable
from dataclasses import dataclass

from kit.filestore import reading, writing
from kit.filestore.access import Open
from kit.filestore.answers import Answer
from kit.filestore.asking import Request
from kit.filestore.refusals import unbuilt
from kit.filestore.signatures import QUERY

Run = Callable[[Open, Request, bytes], Answer]


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked: of a key or of a bucket, by these parameters. Without `run` its body is a stream."""

    method: str
    keyed: bool
    run: Run | None
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()


def _of(method: str, keyed: bool, run: Run | None, must: str = "", may: str = "") -> Operation:
    return Operation(method, keyed, run, frozenset(must.split()), frozenset(may.split()))


LIST = "prefix start-after continuation-token max-keys encoding-type delimiter"
SHOWN = " ".join(reading.OVERRIDES)
OPERATIONS = (
    _of("GET", True, reading.get, may=SHOWN),
    _of("HEAD", True, reading.get, may=SHOWN),
    _of("PUT", True, None),
    _of("PUT", True, None, "partNumber uploadId"),
    _of("POST", True, writing.start, "uploads"),
    _of("POST", True, writing.complete, "uploadId"),
    _of("GET", True, reading.parts, "uploadId", "max-parts part-number-marker"),
    _of("DELETE", True, writing.abort, "uploadId"),
    _of("DELETE", True, writing.delete),
    _of("POST", False, writing.delete_many, "delete"),
    _of("GET", False, reading.listing, "list-type", LIST),
    _of("GET", False, reading.unfinished, "uploads", "prefix max-uploads key-marker upload-id-marker"),
    _of("HEAD", False, reading.head_bucket),
)


def find(request: Request) -> Operation:
    """The operation that was asked for."""
    names = request.params.keys() - set(QUERY)
    keyed = bool(request.key)
    for one in OPERATIONS:
        if one.method == request.method and one.keyed == keyed and one.must <= names <= one.must | one.may:
            return one
    raise unbuilt(f"{request.method} with {', '.join(sorted(names)) or 'no parameters'} is not built.")
