"""How a command ends: its exit code, and errors that name the option at fault and the cure."""

from enum import IntEnum
from typing import Any

import click


class ExitCode(IntEnum):
    """What a script can tell from the exit code. 2 is click's own for a wrong use of the command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    CONFLICT = 6
    UNAVAILABLE = 7
    TIMED_OUT = 8


class CommandError(click.ClickException):
    """Ends the command. `fields` are paths of the API (`admin.email`), shown as the options they came from."""

    def __init__(
        self,
        message: str,
        *,
        cure: str | None = None,
        code: ExitCode = ExitCode.REFUSED,
        fields: list[tuple[str, str]] | None = None,
        problem: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.cure = cure
        # click reads it from the instance, though it declares it on the class.
        vars(self)["exit_code"] = int(code)
        self.fields = fields or []
        self.problem = problem

    def format_message(self) -> str:
        """The sentence, then each field with its option, then the cure."""
        lines = [self.message] if not (len(self.fields) == 1 and self.fields[0][1] == self.message) else []
        lines += [f"{option(field)}: {detail}" for field, detail in self.fields]
        return "\n  ".join(lines) + (f"\n  {self.cure}" if self.cure else "")

    def as_json(self) -> dict[str, Any]:
        """For --json: the API's own problem, or one of the same shape."""
        if self.problem:
            return self.problem
        return {"title": "Error", "status": 0, "code": ExitCode(self.exit_code).name.lower(), "detail": self.message}


OPTIONS = {
    "admin.email": "--admin-email",
    "admin.name": "--admin-name",
    "Authorization": "--token",
    "networks": "--network",
    "scopes": "--scope",
    "qualities": "--quality",
    "confirm_address": "--confirm",
    "store": "--store",
    "store.endpoint": "--store",
    "store.public_endpoint": "--public-endpoint",
    "store.region": "--store-region",
    "store.admin_key_id": "--admin-key-id",
    "store.admin_secret": "PARVIS_STORE_ADMIN_SECRET",
    "store.ca_file": "--ca-file",
    "admin_secret": "PARVIS_STORE_ADMIN_SECRET",
    "secret": "PARVIS_STORE_MIRROR_SECRET",
    "keys": "--object",
}


def option(field: str) -> str:
    """The option that a field of the API came from."""
    first = field.split(".", maxsplit=1)[0]
    return OPTIONS.get(field) or OPTIONS.get(first) or "--" + first.replace("_", "-")
