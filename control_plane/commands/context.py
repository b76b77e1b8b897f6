"""What every command shares: where the API is, how results are shown, how an operation is waited for."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from control_plane.commands.client import Client, language
from control_plane.commands.errors import CommandError, ExitCode

PIPE_WIDTH = 400
FIRST_RUN = Path("var/first-run.json")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Context:
    """The options of one call."""

    url: str | None = None
    token: str | None = None
    json: bool = False

    @property
    def console(self) -> Console:
        """Where people read."""
        # A pipe has no width: nothing is folded there.
        return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)

    def client(self) -> Client:
        """The API by options, environment, or what `parvis up` wrote in this folder; an error says what is missing."""
        first_run = _first_run() if not (self.url and self.token) else {}
        url = self.url or first_run.get("api") or first_run.get("portal")
        token = self.token or first_run.get("api_token")
        if not url or not token:
            missing = "address" if not url else "token"
            raise CommandError(
                f"The operator API's {missing} is not known.",
                cure="Give --url and --token, set PARVIS_API_URL and PARVIS_API_TOKEN, "
                "or run this in the folder where `parvis up` runs (it writes var/first-run.json).",
                code=ExitCode.USAGE,
            )
        return Client(_base(str(url)), str(token), language())

    def show(self, value: Any, people: Callable[[Console], None]) -> None:
        """The value as JSON for scripts, or as people like it."""
        if self.json:
            click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        else:
            people(self.console)


def _first_run() -> dict[str, Any]:
    try:
        found = json.loads(FIRST_RUN.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    urls = found.get("urls")
    return {**urls, **found} if isinstance(urls, dict) else found


def _base(url: str) -> str:
    """The portal's address, with or without /api/v1 behind it."""
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise CommandError(
            f"--url: {url!r} is not an address.",
            cure="Write it as https://portal.parvis.example.",
            code=ExitCode.USAGE,
        )
    return url.removesuffix("/api/v1")


def shared(command: F) -> F:
    """The options of every command: --url, --token, --json. The command gets a Context first."""

    def run(url: str | None, token: str | None, as_json: bool, **kwargs: Any) -> Any:
        context = Context(url, token, as_json)
        try:
            return command(context, **kwargs)
        except CommandError as error:
            if not as_json:
                raise
            click.echo(json.dumps(error.as_json(), indent=2, ensure_ascii=False))
            sys.exit(error.exit_code)

    wrapped: Any = update_wrapper(run, command)
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts."),
        click.option("--token", envvar="PARVIS_API_TOKEN", help="An API token (PARVIS_API_TOKEN)."),
        click.option("--url", envvar="PARVIS_API_URL", help="The portal's address (PARVIS_API_URL)."),
    ):
        wrapped = decorate(wrapped)
    return wrapped  # type: ignore[no-any-return]
