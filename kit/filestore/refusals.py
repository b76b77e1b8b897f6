"""What the gateway says no with: a status, one of S3's codes, and words for a person who reads a log."""


class Refused(Exception):  # noqa: N818 - it is an answer, not an accident
    """Answered as S3's XML. `headers` go with it."""

    def __init__(self, status: int, code: str, message: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def denied(message: str) -> Refused:
    """This key, or nobody, may do this."""
    return Refused(403, "AccessDenied", message)


def malformed(message: str) -> Refused:
    """What was sent cannot be understood."""
    return Refused(400, "InvalidArgument", message)


def missing(what: str) -> Refused:
    """There is no such thing: `NoSuchKey`, `NoSuchBucket` or `NoSuchUpload`."""
    return Refused(404, what)


def unbuilt(message: str) -> Refused:
    """Something that S3 has and this store has not."""
    return Refused(501, "NotImplemented", message)
