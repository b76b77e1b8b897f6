"""The two deliberate failures. Anything else is a bug and stays loud."""

from typing import Any


class Refusal(Exception):  # noqa: N818 - it is an answer, not an accident
    """Asking again will not help; the words are for the caller.

    `code` is stable and machine-readable (`address_taken`). `message` is an English sentence that names the cure; it is
    also the key of its translation, with `{named}` places filled from `params`. `field` is the path of the input at
    fault (`admin.email`), `status` the HTTP status an interface answers with.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None, status: int = 422, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.field = field
        self.status = status
        self.params = params

    def __str__(self) -> str:
        return self.message.format(**self.params) if self.params else self.message


class Refusals(Exception):  # noqa: N818 - see Refusal
    """Several fields of one input are wrong at once; a form shows them all."""

    def __init__(self, refusals: list[Refusal]) -> None:
        super().__init__(", ".join(r.code for r in refusals))
        self.refusals = refusals

    @property
    def status(self) -> int:
        """The status of the first refusal speaks for all."""
        return self.refusals[0].status


class Unavailable(Exception):  # noqa: N818 - see Refusal
    """Asking again may help. `code` may be shown; `detail` stays inside (ledger and logs)."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


def not_found(what: str = "page") -> Refusal:
    """Foreign and absent answer alike."""
    return Refusal("not_found", "This does not exist, or is kept for other people.", status=404, what=what)
