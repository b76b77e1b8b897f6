"""Commands that work on this machine's installation, not through the API: `up`, `staff`, `database`, `cell export`."""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from control_plane.commands.context import FIRST_RUN, Context
from control_plane.commands.errors import CommandError, ExitCode
from control_plane.commands.tables import card, table

if TYPE_CHECKING:
    from sqlalchemy import Engine

SECRETS, MASTER_KEY = Path("var/secrets.json"), Path("var/master.key")
CURE = (
    "Run this in the folder where `parvis up` runs, or set PARVIS_DATABASE_URL and PARVIS_MASTER_KEY_FILE "
    "as for the other processes."
)


@click.command()
def up() -> None:
    """Run the whole product in this folder until Ctrl C; PARVIS_PORT (8080) is its port, data stays in var/.

    With PARVIS_CEPH=1, a new installation keeps its files in a real Ceph of one node instead of in var/store/.
    """
    from control_plane.embedded import up as run

    sys.exit(run())


@click.group()
def staff() -> None:
    """People of the provider who sign in to the portal. Works on the database of this installation."""


@click.group()
def database() -> None:
    """The control plane's own database."""


def _environment() -> dict[str, str]:
    """What the other processes are told, or what `parvis up` keeps in this folder."""
    told = {"PARVIS_BROKER_URL": "redis://127.0.0.1", **os.environ}
    if "PARVIS_DATABASE_URL" in os.environ:
        return told
    from control_plane.embedded import control_url

    try:
        drawn = json.loads(SECRETS.read_text())
        url = control_url(drawn["postgres_port"], drawn["control_password"])
    except (OSError, ValueError, KeyError) as error:
        raise CommandError("No installation is known here.", cure=CURE, code=ExitCode.USAGE) from error
    return {**told, "PARVIS_DATABASE_URL": url, "PARVIS_MASTER_KEY_FILE": str(MASTER_KEY)}


@contextmanager
def installation() -> Iterator["Engine"]:
    """The control plane's database with its vault; errors say what to set."""
    from sqlalchemy.exc import OperationalError

    from kit.db import open_engine
    from kit.errors import Refusal, Refusals, Unavailable
    from kit.settings import ControlPlaneSettings, SettingError

    try:
        settings = ControlPlaneSettings.from_env(_environment())
        engine = open_engine(settings.database_url, vault=settings.vault(), pool_size=1)
    except SettingError as error:
        raise CommandError(str(error), cure=CURE, code=ExitCode.USAGE) from error
    try:
        yield engine
    except OperationalError as error:
        raise CommandError(
            "The control plane's database does not answer.",
            cure="Start it (`parvis up` in this folder), then repeat the command.",
            code=ExitCode.UNAVAILABLE,
        ) from error
    except Unavailable as error:
        raise CommandError(f"This does not answer just now: {error}.", code=ExitCode.UNAVAILABLE) from error
    except (Refusal, Refusals) as error:
        every = error.refusals if isinstance(error, Refusals) else [error]
        fields = [(one.field, str(one)) for one in every if one.field]
        code = ExitCode.NOT_FOUND if every[0].status == 404 else ExitCode.REFUSED
        words = "Some options need another look." if len(every) > 1 else str(every[0])
        raise CommandError(words, fields=fields, code=code) from error
    finally:
        engine.dispose()


def local(command: Callable[..., None]) -> Callable[..., None]:
    """A command that only takes --json; it gets a Context first."""

    def run(as_json: bool, **kwargs: Any) -> None:
        try:
            command(Context(json=as_json), **kwargs)
        except CommandError as error:
            if not as_json:
                raise
            click.echo(json.dumps(error.as_json(), indent=2, ensure_ascii=False))
            sys.exit(error.exit_code)

    named: Callable[..., None] = update_wrapper(run, command)
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(named)


@staff.command()
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", required=True, help="sales, support, operator or auditor.")
@click.option("--locale", type=click.Choice(["fr", "en"]), default="fr", show_default=True)
@local
def create(context: Context, email: str, name: str, role: str, locale: str) -> None:
    """Add a member of staff, with a password that is shown this once; the second factor comes at the first sign-in."""
    from control_plane import identity
    from control_plane.audit import Actor
    from kit.db import transaction, vault_of

    password = "-".join(secrets.token_hex(3) for _ in range(4))
    actor = Actor("command", "parvis staff create", "parvis staff create")
    with installation() as engine, transaction(engine) as session:
        made = identity.create_staff(
            session, vault_of(session), email, name, role, password, actor=actor, locale=locale
        )
        told = {"id": str(made.id), "email": made.email, "name": made.name, "role": made.role, "password": password}
    context.show(told, lambda console: card(console, {key.capitalize(): value for key, value in told.items()}))


@staff.command("list")
@local
def list_(context: Context) -> None:
    """List the members of staff."""
    from control_plane import identity
    from kit.db import transaction

    with installation() as engine, transaction(engine) as session:
        found = [
            {
                "email": one.email,
                "name": one.name,
                "role": one.role,
                "disabled": one.disabled_at is not None,
                "emergency": one.emergency,
            }
            for one in identity.staff_members(session)
        ]
    rows = [[one["email"], one["name"], one["role"], _state(one)] for one in found]
    context.show(
        {"items": found}, lambda console: table(console, ["E-mail", "Name", "Role", ""], rows, empty="Nobody yet.")
    )


def _state(one: dict[str, Any]) -> str:
    return "disabled" if one["disabled"] else "emergency account" if one["emergency"] else ""


@staff.command()
@click.argument("email")
@click.option("--off", is_flag=True, help="Take the mark away: by the company's sign-in only, again.")
@local
def emergency(context: Context, email: str, off: bool) -> None:
    """Let somebody in by passkey or password though the company's sign-in knows them: it may be away."""
    from control_plane import identity
    from control_plane.audit import Actor
    from kit.db import transaction
    from kit.errors import not_found

    actor = Actor("command", "parvis staff emergency", "parvis staff emergency")
    with installation() as engine, transaction(engine) as session:
        found = identity.find_staff(session, email)
        if found is None:
            raise not_found("staff")
        made = identity.set_emergency(session, found.id, wanted=not off, actor=actor)
        told = {"email": made.email, "emergency": made.emergency}
    done = "comes in by passkey or password too." if told["emergency"] else "comes in by the company's sign-in only."
    context.show(told, lambda console: console.print(f"{told['email']} {done}"))


@staff.command()
@local
def code(context: Context) -> None:
    """Show the one-time code of the account that the first `parvis up` made."""
    import pyotp

    try:
        account = json.loads(FIRST_RUN.read_text())["staff"]
        now = pyotp.TOTP(account["totp_secret"]).now()
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(
            f"There is no {FIRST_RUN} here.", cure="Run this where `parvis up` runs.", code=ExitCode.USAGE
        ) from error
    context.show({"email": account["email"], "code": now}, lambda _: click.echo(now))


@database.command()
@local
def upgrade(context: Context) -> None:
    """Bring the control plane's database to this version's schema. Nothing to do is cheap, and safe to repeat."""
    from migrations.control_plane import upgrade as run

    with installation() as engine:
        run(engine)
    context.show({"upgraded": True}, lambda console: console.print("The database has this version's schema."))


@click.command()
@click.argument("name", metavar="CELL")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The file that PARVIS_CELL_FILE will name.")
@local
def export(context: Context, name: str, to: Path) -> None:
    """Write what the cell's tenant app needs to know. It holds passwords: mode 0600, and never through the API."""
    from control_plane import fleet
    from kit.db import transaction, vault_of

    with installation() as engine, transaction(engine) as session:
        fleet.write_cell_file(session, vault_of(session), name, to)
    context.show({"cell": name, "file": str(to)}, lambda console: console.print(f"Wrote {to}."))
