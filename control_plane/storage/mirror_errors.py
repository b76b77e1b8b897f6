"""What goes wrong between two stores, said of the one where it happened. No word of a library that knows a key."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from xml.etree.ElementTree import ParseError

from obstore.exceptions import BaseError

from control_plane.storage import errors
from kit.errors import Refusal, Unavailable
from kit.s3 import Failure

Role = Literal["store", "mirror"]

CODE = re.compile(r"<Code>(\w{1,60})</Code>")
STATUS = re.compile(r"status code: (\d{3})")
UNEXPECTED = "unexpected"
# What a gateway says that would refuse every other object too.
OF_ALL = frozenset({"NoSuchBucket", "QuotaExceeded", "TooManyBuckets", "RequestTimeTooSkewed"})


class Halted(Exception):  # noqa: N818 - an order, not an accident
    """Whoever waits for this work does not want it any more."""


class Lost(Exception):  # noqa: N818 - the same
    """The lease has gone to another worker: this one may do nothing more."""


class Restart(Exception):  # noqa: N818 - the same
    """The mirror is not what the pass has seen so far: it begins anew."""


class Waits(Exception):  # noqa: N818 - the same
    """There is nothing to be done for now: the state says why."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class Refused(Failure):
    """A gateway's refusal, and whose it was."""

    def __init__(self, role: Role, status: int, code: str, message: str = "") -> None:
        super().__init__(status, code, f"({role}) {message}".strip())
        self.role = role

    @property
    def of_all(self) -> bool:
        """Whether it is not about one object."""
        return self.status in {401, 403} or self.code in OF_ALL


class Differs(Exception):  # noqa: N818 - an answer
    """What arrived is not what was sent."""


Trouble = Refused | Unavailable | Differs


@contextmanager
def on(role: Role) -> Iterator[None]:
    """What goes wrong here goes wrong on this side."""
    try:
        yield
    except Failure as failure:
        raise Refused(role, failure.status, failure.code, failure.message) from failure
    except Unavailable as gone:
        raise Unavailable(gone.code, f"{role}: {gone.detail}") from gone
    except ParseError as error:
        raise Unavailable("store_unreadable", f"{role}: {error}") from None


@contextmanager
def of_bytes(role: Role) -> Iterator[None]:
    """The same for obstore, whose words are long and hold a gateway's answer."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        words = str(error)
        code, status = CODE.search(words), STATUS.search(words)
        if status is not None:
            raise Refused(role, int(status[1]), code[1] if code else "") from None
        raise Unavailable(errors.GONE, f"{role}: no answer ({type(error).__name__})") from None


def explain(error: Exception) -> tuple[str, str]:
    """A code and words for the row."""
    if isinstance(error, Failure):
        error = errors.unavailable(error)
    if isinstance(error, Unavailable):
        return error.code, (error.detail or error.code)[:500]
    if isinstance(error, Refusal):
        return error.code, str(error)[:500]
    if isinstance(error, Differs):
        return "mirror_copy_differs", str(error)[:500]
    # Its words may be anything: they go to the log, which hides secrets.
    return UNEXPECTED, type(error).__name__
