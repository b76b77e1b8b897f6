"""`parvis connection`: the identity providers of an organisation, stage by stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from control_plane.commands.changing import irreversible
from control_plane.commands.client import Answer, Client, quoted
from control_plane.commands.connection_words import connection_card, trace_card
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import CommandError, ExitCode
from control_plane.commands.tables import moment, table

STAGES = click.Choice(["draft", "tested", "pilot", "enforced"])
ROLES = click.Choice(["guest", "member", "administrator", "nobody"])
TEXT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def connection() -> None:
    """Identity providers of an organisation. CONNECTION is a name or an id."""


def described(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what a connection is."""
    for decorate in (
        click.option("--no-just-in-time", is_flag=True, help="Let in only who is a member already."),
        click.option("--otherwise", type=ROLES, help="What people of no group become; nobody refuses them."),
        click.option("--role", "roles", multiple=True, help="GROUP=ROLE, such as chiefs=administrator; several times."),
        click.option(
            "--attribute", "attributes", multiple=True, help="OURS=THEIRS, such as email=mail; several times."
        ),
        click.option("--pilot", multiple=True, help="An e-mail of somebody who tries it; several times."),
        click.option("--domain", "domains", multiple=True, help="Where it may make people; several times."),
        click.option("--scope", "scopes", multiple=True, help="OpenID: beside openid; several times."),
        click.option("--client-secret-file", type=TEXT, help="OpenID: a file with the secret."),
        click.option("--client-id", help="OpenID: what the provider calls us."),
        click.option("--issuer", help="OpenID: the provider's address."),
        click.option(
            "--certificate-file", "certificate_files", type=TEXT, multiple=True, help="SAML: PEM; several times."
        ),
        click.option("--sso-url", help="SAML without metadata: where people sign in."),
        click.option("--entity-id", help="SAML without metadata: the provider's name."),
        click.option("--metadata-file", type=TEXT, help="SAML: the provider's metadata, as XML."),
        click.option("--metadata-url", help="SAML: where the metadata stands; fetched daily."),
    ):
        command = decorate(command)
    return command


@connection.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--kind", type=click.Choice(["saml", "oidc"]), required=True)
@click.option("--name", required=True, help="Stands on the sign-in button: 'Entra ID'.")
@click.option(
    "--vendor",
    type=click.Choice(["entra", "okta", "google", "adfs", "keycloak", "generic"]),
    default="generic",
    show_default=True,
    help="Knows under which names attributes come.",
)
@described
@shared
def add(context: Context, reference: str, kind: str, name: str, vendor: str, **given: Any) -> None:
    """Add a connection, as a draft that lets nobody in; tells what to enter at the provider's."""
    body = {"kind": kind, "name": name, "vendor": vendor, **_body(**given)}
    found = context.client().ask("POST", f"/organisations/{quoted(reference)}/connections", body=body).body
    context.show(found, lambda console: connection_card(console, found))


@connection.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("of", metavar="CONNECTION")
@click.option("--name", help="Another name.")
@described
@shared
def change(context: Context, reference: str, of: str, name: str | None, **given: Any) -> None:
    """Change a connection; what is not named stays. New settings want a new test."""
    client = context.client()
    body = {**({"name": name} if name else {}), **_body(**given)}
    found = _against(client, "PATCH", _path(client, reference, of), body).body
    context.show(found, lambda console: connection_card(console, found))


@connection.command("list")
@click.argument("reference", metavar="ORGANISATION")
@shared
def list_(context: Context, reference: str) -> None:
    """List an organisation's connections."""
    found = context.client().get(f"/organisations/{quoted(reference)}/connections")
    rows = [
        [one["name"], one["kind"], one["stage"], ", ".join(one["proven_domains"]), _ends(one), one["id"]]
        for one in found["items"]
    ]
    headers = ["Name", "Kind", "Stage", "Proven domains", "Ends", "ID"]
    context.show(found, lambda console: table(console, headers, rows, empty="No connection."))


def _ends(found: dict[str, Any]) -> str:
    return moment(found["certificates_until"]) or ""


@connection.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("of", metavar="CONNECTION")
@shared
def show(context: Context, reference: str, of: str) -> None:
    """Show a connection, with what to enter at the provider's, and its latest sign-in."""
    client = context.client()
    where = _path(client, reference, of)
    found = client.get(where)
    found["traces"] = client.get(f"{where}/traces", limit=1)["items"]

    def people(console: Any) -> None:
        connection_card(console, found)
        for one in found["traces"]:
            trace_card(console, one)

    context.show(found, people)


@connection.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("of", metavar="CONNECTION")
@click.argument("wanted", metavar="STAGE", type=STAGES)
@shared
def stage(context: Context, reference: str, of: str, wanted: str) -> None:
    """Take a connection to STAGE: draft, tested, pilot or enforced. Everything that is in the way is named."""
    client = context.client()
    where = _path(client, reference, of)
    found = _against(client, "PUT", where, {"stage": wanted}, "/stage").body
    context.show(found, lambda console: connection_card(console, found))


@connection.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("of", metavar="CONNECTION")
@shared
def test(context: Context, reference: str, of: str) -> None:
    """Begin a test run: open the address that it prints in a browser, then read `parvis connection show`."""
    client = context.client()
    found = client.ask("POST", f"{_path(client, reference, of)}/test").body
    context.show(found, lambda _: click.echo(found["url"]))


@connection.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("of", metavar="CONNECTION")
@shared
def refresh(context: Context, reference: str, of: str) -> None:
    """Fetch the provider's metadata now."""
    client = context.client()
    found = client.ask("POST", f"{_path(client, reference, of)}/metadata-refresh").body
    context.show(found, lambda console: connection_card(console, found))


@connection.command("rotate-key")
@click.argument("reference", metavar="ORGANISATION")
@click.argument("of", metavar="CONNECTION")
@click.argument("step", type=click.Choice(["announce", "use"]))
@shared
def rotate_key(context: Context, reference: str, of: str, step: str) -> None:
    """Change our own SAML key: `announce` the next one in our metadata, later `use` it."""
    client = context.client()
    found = client.ask("POST", f"{_path(client, reference, of)}/key-rotation", body={"step": step}).body
    context.show(found, lambda console: connection_card(console, found))


@connection.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("of", metavar="CONNECTION")
@irreversible("{of} will be removed: who came in by it needs another way.")
@shared
def remove(context: Context, reference: str, of: str) -> None:
    """Remove a connection that is not enforced."""
    client = context.client()
    _against(client, "DELETE", _path(client, reference, of), None)
    context.show({"removed": of}, lambda console: console.print("Removed."))


def _path(client: Client, reference: str, of: str) -> str:
    """Where a connection stands, by its name or id."""
    where = f"/organisations/{quoted(reference)}/connections"
    found = [one["id"] for one in client.get(where)["items"] if of in {one["id"], one["name"]}]
    if len(found) != 1:
        told = "There is no connection" if not found else "Several connections are"
        raise CommandError(
            f"{told} called {of}.", cure="Name it by its id: parvis connection list", code=ExitCode.NOT_FOUND
        )
    return f"{where}/{found[0]}"


def _against(client: Client, method: str, where: str, body: Any, noun: str = "") -> Answer:
    """A write against the version that stands there now."""
    headers = {"If-Match": client.ask("GET", where).headers["etag"]}
    return client.ask(method, where + noun, body=body, headers=headers)


def _body(**given: Any) -> dict[str, Any]:
    """What the options say, as the API takes it; what was not given is left out."""
    settings = {
        "entity_id": given["entity_id"],
        "sso_url": given["sso_url"],
        "certificates": [path.read_text() for path in given["certificate_files"]],
        "issuer": given["issuer"],
        "client_id": given["client_id"],
        "client_secret": given["client_secret_file"] and given["client_secret_file"].read_text().strip(),
        "scopes": list(given["scopes"]),
    }
    body = {
        "metadata_url": given["metadata_url"],
        "metadata_xml": given["metadata_file"] and given["metadata_file"].read_text(),
        "domains": list(given["domains"]),
        "pilot": list(given["pilot"]),
        "attributes": _pairs("--attribute", given["attributes"]),
        "roles": _pairs("--role", given["roles"]),
        "settings": {name: value for name, value in settings.items() if value},
    }
    kept = {name: value for name, value in body.items() if value}
    if given["otherwise"]:
        kept["otherwise"] = None if given["otherwise"] == "nobody" else given["otherwise"]
    return kept | ({"just_in_time": False} if given["no_just_in_time"] else {})


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in given:
        name, equals, value = one.rpartition("=")
        if not equals or not name or not value:
            raise CommandError(f"{option}: {one!r} is not NAME=VALUE.", code=ExitCode.USAGE)
        found[name] = value
    return found
