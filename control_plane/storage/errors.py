"""What a gateway refuses, as one of the two deliberate failures. The detail has Ceph's `<Code>`, and never a secret."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

import msgspec

from kit.errors import Refusal, Unavailable
from kit.s3 import Failure

GONE = "store_unavailable"
REFUSED = "store_refused"

OURS = re.compile(r"org-[0-9a-f]{32}")

CODES = {
    "RequestTimeTooSkewed": "store_clock",
    "InvalidAccessKeyId": "store_key_unknown",
    "SignatureDoesNotMatch": "store_key_wrong",
    "UserSuspended": "store_suspended",
    "QuotaExceeded": "store_full",
}


def unavailable(failure: Failure, account: str = "") -> Unavailable:
    """A refusal that nobody expected here: an operator can mend it, and then asking again helps."""
    detail = f"{failure} ({account})" if account else str(failure)
    return Unavailable(CODES.get(failure.code, REFUSED), detail)


@contextmanager
def translated(account: str = "") -> Iterator[None]:
    """What the gateway refuses, and what it says unreadably, is `Unavailable`."""
    try:
        yield
    except Failure as failure:
        raise unavailable(failure, account) from failure
    except (ParseError, msgspec.DecodeError) as error:
        # Their words tell a place in the answer, never its content.
        raise Unavailable("store_unreadable", f"{type(error).__name__}: {error}") from None


def bucket_taken() -> Refusal:
    """The bucket is somebody else's."""
    return Refusal("bucket_taken", "This bucket belongs to another account.", status=409)


def key_taken() -> Refusal:
    """A key's id is somebody else's."""
    return Refusal("store_key_taken", "This access key belongs to another account of the object store.", status=409)


def require_ours(*names: str) -> None:
    """Accounts and buckets of other shapes are other people's: they are not touched, and not even looked at."""
    for name in names:
        if not OURS.fullmatch(name):
            raise Refusal(
                "store_name_foreign",
                "“{name}” is not the name of an organisation's account or bucket.",
                status=409,
                name=name,
            )


def ours(names: Iterable[str]) -> set[str]:
    """Those names that an organisation may have."""
    return {name for name in names if OURS.fullmatch(name)}


def other_bucket() -> Refusal:
    """The account has a bucket that it should not have."""
    return Refusal(
        "store_other_bucket",
        "The account owns another bucket, which was not made here. Look at it, then remove it by hand.",
        status=409,
    )


def retained() -> Refusal:
    """Objects are locked."""
    return Refusal(
        "objects_retained",
        "Objects of this bucket are under retention and stay until it ends; nothing removes them before.",
        status=409,
    )
