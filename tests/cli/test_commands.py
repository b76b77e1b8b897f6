"""`parvis` as people and scripts run it, against the whole product."""

import json
from pathlib import Path
from typing import Any

import pytest

from control_plane.commands.errors import ExitCode
from tests.cli.running import ordered, parvis, told
from tests.world.product import Product

NEVER = "0197b2a4-0000-7000-8000-000000000000"


def test_an_organisation_is_made_looked_at_held_and_given_back(product: Product) -> None:
    made = parvis(
        product.folder,
        *("organisation", "create", "--name", "Ville de Meudon", "--address", "cli-meudon", "--offer", "team"),
        *("--admin-email", "camille@meudon.example", "--admin-name", "Camille Martin"),
    )
    assert made.returncode == 0, made.stderr
    assert "cli-meudon" in made.stdout
    assert "route: done" in made.stderr, "progress goes to stderr"
    assert told(product.folder, "organisation", "show", "cli-meudon")["state"] == "live"
    reason = ("--reason", "Contract 42 has ended")
    foreseen = told(product.folder, "organisation", "suspend", "cli-meudon", *reason, "--dry-run")
    assert foreseen["allowed"] is True
    assert told(product.folder, "organisation", "show", "cli-meudon")["state"] == "live"
    told(product.folder, "organisation", "suspend", "cli-meudon", *reason)
    shown = told(product.folder, "organisation", "show", "cli-meudon")
    assert (shown["state"], shown["holds"][0]["reason"]) == ("suspended", "Contract 42 has ended")
    told(product.folder, "organisation", "resume", "cli-meudon")
    told(product.folder, "organisation", "read-only", "cli-meudon", *reason)
    told(product.folder, "organisation", "resume", "cli-meudon", "--from-read-only")
    told(product.folder, "organisation", "rename", "cli-meudon", "--name", "Meudon")
    told(product.folder, "organisation", "change-offer", "cli-meudon", "business")
    told(product.folder, "organisation", "verify", "cli-meudon")
    shown = told(product.folder, "organisation", "show", "cli-meudon")
    assert (shown["state"], shown["name"], shown["offer"]["code"]) == ("live", "Meudon", "business")
    operations = told(product.folder, "operation", "list", "--organisation", "cli-meudon")["items"]
    assert {one["state"] for one in operations} == {"succeeded"}
    assert len(operations) == 8


def test_an_organisation_is_closed_reopened_and_erased(product: Product) -> None:
    ordered(product, "cli-sevres")
    told(product.folder, "organisation", "close", "cli-sevres", "--reason", "It moved away")
    told(product.folder, "organisation", "reopen", "cli-sevres")
    told(product.folder, "organisation", "close", "cli-sevres", "--reason", "It moved away after all")
    erase = ("organisation", "erase", "cli-sevres", "--confirm", "cli-sevres", "--force", "--reason", "They insist")
    asked = parvis(product.folder, *erase)
    assert (asked.returncode, "--yes" in asked.stderr) == (ExitCode.USAGE, True)
    told(product.folder, *erase, "--yes")
    assert told(product.folder, "organisation", "show", "cli-sevres")["state"] == "erased"


def test_the_same_key_never_orders_twice(product: Product) -> None:
    order = (
        *("organisation", "create", "--name", "Twice", "--address", "cli-twice", "--offer", "team"),
        *("--admin-email", "c@twice.example", "--admin-name", "Camille", "--idempotency-key", "order-1"),
    )
    first, again = told(product.folder, *order, "--no-wait"), told(product.folder, *order)
    assert first["organisation"]["id"] == again["organisation"]["id"]
    assert told(product.folder, "operation", "watch", first["operation"]["id"])["state"] == "succeeded"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("organisation", "show", "cli-absent"), ExitCode.NOT_FOUND, "does not exist"),
        (("organisation", "show", "../tokens"), ExitCode.NOT_FOUND, "does not exist"),
        (("organisation", "show"), ExitCode.USAGE, "ORGANISATION"),
        (("organisation", "list", "--limit", "many"), ExitCode.USAGE, "--limit"),
        (("organisation", "list", "--limit", "0"), ExitCode.REFUSED, "--limit"),
        (("organisation", "list", "--state", "asleep"), ExitCode.REFUSED, "--state"),
        (("organisation", "create", "--name", "x"), ExitCode.USAGE, "--address"),
        (("operation", "watch", NEVER), ExitCode.NOT_FOUND, "does not exist"),
        (("offer", "show", "gold"), ExitCode.NOT_FOUND, "does not exist"),
        (("cell", "add", "new", "--region", "x", "--store", "here"), ExitCode.USAGE, "--store"),
        (("cell", "database", "add", "local", "--admin-url", "mysql://x"), ExitCode.REFUSED, "--admin-url"),
        (("token", "create", "--name", "n", "--scope", "all"), ExitCode.REFUSED, "--scope"),
        (("audit", "list", "--since", "yesterday"), ExitCode.REFUSED, "--since"),
        (("organisation", "list", "--token", "pv_nonsense"), ExitCode.NOT_ALLOWED, "--token"),
        (("organisation", "list", "--url", "http://127.0.0.1:9"), ExitCode.UNAVAILABLE, "parvis up"),
        (("organisation", "list", "--url", "portal"), ExitCode.USAGE, "--url"),
        (("staff", "create", "--email", "x", "--name", "X", "--role", "king"), ExitCode.REFUSED, "--role"),
        (("cell", "export", "nowhere", "--to", "cell.json"), ExitCode.REFUSED, "nowhere"),
    ],
)
def test_a_wrong_command_names_what_is_wrong_and_tells_by_its_exit_code(
    product: Product, arguments: tuple[str, ...], code: ExitCode, words: str
) -> None:
    done = parvis(product.folder, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_every_wrong_option_of_an_order_is_named_in_the_language_of_the_terminal(product: Product) -> None:
    order = ("organisation", "create", "--name", "x", "--address", "www", "--offer", "gold")
    order = (*order, "--admin-email", "camille", "--admin-name", "Camille")
    english, french = parvis(product.folder, *order), parvis(product.folder, *order, LANG="fr_FR.UTF-8")
    for done in (english, french):
        assert done.returncode == ExitCode.REFUSED
        for option in ("--address", "--offer", "--admin-email"):
            assert option in done.stderr
    assert english.stderr != french.stderr


def test_errors_are_json_when_asked_for(product: Product) -> None:
    done = parvis(product.folder, "organisation", "show", "cli-absent", "--json")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (ExitCode.NOT_FOUND, "not_found")


def test_elsewhere_the_command_says_how_to_find_the_api(tmp_path: Path) -> None:
    for arguments in (("cell", "list"), ("staff", "list"), ("staff", "code")):
        done = parvis(tmp_path, *arguments)
        assert (done.returncode, "parvis up" in done.stderr) == (ExitCode.USAGE, True)


def test_url_and_token_may_come_from_the_environment(product: Product, tmp_path: Path) -> None:
    told_by = product.first_run
    done = parvis(tmp_path, "offer", "list", PARVIS_API_URL=told_by["portal"], PARVIS_API_TOKEN=told_by["api_token"])
    assert (done.returncode, "public-sector" in done.stdout) == (0, True)


def test_offers_cells_tokens_and_the_record(product: Product, tmp_path: Path) -> None:
    shown = told(product.folder, "offer", "show", "team")
    shown["offer"].update(code="cli-club")
    shown["offer"]["terms"]["follows"] = "read_only"
    file = tmp_path / "offer.json"
    file.write_text(json.dumps(shown))
    assert told(product.folder, "offer", "publish", str(file))["version"] == 1
    shown["offer"]["terms"]["price_cents"] += 1
    file.write_text(json.dumps(shown))
    assert told(product.folder, "offer", "publish", str(file))["version"] == 2
    assert told(product.folder, "cell", "show", "local")["tenants"] > 0
    assert told(product.folder, "cell", "verify", "local")["ok"] is True
    export = tmp_path / "cell.json"
    told(product.folder, "cell", "export", "local", "--to", str(export))
    assert export.stat().st_mode & 0o777 == 0o600
    made = told(product.folder, "token", "create", "--name", "cli", "--scope", "offers:read")
    assert parvis(product.folder, "offer", "list", "--token", made["secret"]).returncode == 0
    assert parvis(product.folder, "cell", "list", "--token", made["secret"]).returncode == ExitCode.NOT_ALLOWED
    rotated = told(product.folder, "token", "rotate", made["token"]["id"])
    told(product.folder, "token", "revoke", made["token"]["id"], "--yes")
    old, new = (parvis(product.folder, "offer", "list", "--token", one["secret"]) for one in (made, rotated))
    assert (old.returncode, new.returncode) == (ExitCode.NOT_ALLOWED, 0)
    assert told(product.folder, "audit", "list", "--verb", "token.revoked")["items"]
    assert told(product.folder, "audit", "verify")["ok"] is True


def test_a_token_is_handed_over_to_an_operator_and_to_nobody_else(product: Product) -> None:
    made = told(product.folder, "token", "create", "--name", "cli-handed", "--scope", "offers:read")["token"]
    done = parvis(product.folder, "token", "hand-over", made["id"], "--to", product.first_run["staff"]["email"])
    assert (done.returncode, "answers for cli-handed." in done.stdout) == (0, True)
    [listed] = [one for one in told(product.folder, "token", "list")["items"] if one["id"] == made["id"]]
    assert done.stdout.startswith(listed["owner"])
    for language, words in (("C.UTF-8", "operator"), ("fr_FR.UTF-8", "opérateur")):
        refused = parvis(
            product.folder, "token", "hand-over", made["id"], "--to", "nobody@parvis.example", LANG=language
        )
        assert (refused.returncode, words in refused.stderr) == (ExitCode.REFUSED, True)
    absent = parvis(product.folder, "token", "hand-over", "01900000-0000-7000-8000-000000000000", "--to", "a@b.example")
    assert absent.returncode == ExitCode.NOT_FOUND
    told(product.folder, "token", "revoke", made["id"], "--yes")


def test_who_signed_in_and_what_a_directory_did_are_listed(product: Product) -> None:
    ordered(product, "cli-history")
    assert told(product.folder, "audit", "sign-ins", "cli-history")["items"] == []
    assert "No event" in parvis(product.folder, "audit", "directory", "cli-history", "--verb", "user.").stdout
    assert parvis(product.folder, "audit", "sign-ins", "cli-nobody").returncode == ExitCode.NOT_FOUND


def test_staff_are_added_listed_and_get_their_code(product: Product) -> None:
    made = told(product.folder, "staff", "create", "--email", "ana@cli.example", "--name", "Ana B", "--role", "support")
    assert len(made["password"]) > 20
    assert "ana@cli.example" in {one["email"] for one in told(product.folder, "staff", "list")["items"]}
    assert len(told(product.folder, "staff", "code")["code"]) == 6
    assert told(product.folder, "database", "upgrade") == {"upgraded": True}


def test_every_command_explains_itself_and_takes_json() -> None:
    from control_plane.cli import main

    def walk(command: Any, path: tuple[str, ...]) -> None:
        assert command.help, path
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*path, name))
        if not hasattr(command, "commands") and path != ("up",):
            assert any("--json" in option.opts for option in command.params), path

    walk(main, ())
