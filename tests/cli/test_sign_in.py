"""An organisation's sign-in by the command line, against the whole product."""

from pathlib import Path
from uuid import uuid4

from control_plane.commands.errors import ExitCode
from tests.cli.running import ordered, parvis, told
from tests.identity.connections import certificate as made_certificate
from tests.identity.connections import discovery, metadata, website
from tests.world.product import Product


def test_a_domain_is_claimed_looked_for_and_given_up(product: Product) -> None:
    ordered(product, "cli-domains")
    name = f"acme-{uuid4().hex[:8]}.example"
    made = told(product.folder, "domain", "add", "cli-domains", name)
    assert made["record_name"] == f"_parvis-challenge.{name}"
    shown = parvis(product.folder, "domain", "add", "cli-domains", name)
    assert made["record_value"] in shown.stdout
    looked = parvis(product.folder, "domain", "check", "cli-domains", name)
    assert looked.returncode == ExitCode.FAILED, "it is not proven"
    assert "Name servers" in looked.stdout
    listed = parvis(product.folder, "domain", "list", "cli-domains")
    assert name in listed.stdout
    assert parvis(product.folder, "domain", "check", "cli-domains", "other.example").returncode == ExitCode.NOT_FOUND
    assert parvis(product.folder, "domain", "remove", "cli-domains", name).returncode == ExitCode.USAGE
    told(product.folder, "domain", "remove", "cli-domains", name, "--yes")
    assert told(product.folder, "domain", "list", "cli-domains")["items"] == []
    public = parvis(product.folder, "domain", "add", "cli-domains", "gmail.com")
    assert (public.returncode, "Anybody" in public.stderr) == (ExitCode.REFUSED, True)


def test_a_saml_connection_is_made_from_a_file_shown_staged_and_removed(product: Product, tmp_path: Path) -> None:
    ordered(product, "cli-saml")
    path = tmp_path / "metadata.xml"
    path.write_text(metadata(made_certificate()))
    given = ("--metadata-file", str(path), "--role", "chiefs=administrator", "--otherwise", "nobody")
    made = told(
        product.folder,
        *("connection", "add", "cli-saml", "--kind", "saml", "--name", "Entra ID", "--vendor", "entra", *given),
    )
    assert (made["stage"], made["roles"], made["otherwise"]) == ("draft", {"chiefs": "administrator"}, None)
    shown = parvis(product.folder, "connection", "show", "cli-saml", "Entra ID")
    assert made["service"]["acs_url"] in shown.stdout
    assert "refused" in shown.stdout
    staged = parvis(product.folder, "connection", "stage", "cli-saml", "Entra ID", "enforced")
    assert staged.returncode == ExitCode.CONFLICT
    assert "break-glass" in staged.stderr
    run = parvis(product.folder, "connection", "test", "cli-saml", "Entra ID")
    assert run.stdout.startswith("http")
    assert f"/sso/{made['id']}?test=" in run.stdout
    changed = told(product.folder, "connection", "change", "cli-saml", "Entra ID", "--name", "Microsoft")
    assert changed["name"] == "Microsoft"
    keys = told(product.folder, "connection", "rotate-key", "cli-saml", "Microsoft", "announce")["keys"]
    assert [key["state"] for key in keys] == ["current", "next"]
    assert parvis(product.folder, "connection", "refresh", "cli-saml", "Microsoft").returncode == ExitCode.CONFLICT
    told(product.folder, "connection", "remove", "cli-saml", "Microsoft", "--yes")
    assert told(product.folder, "connection", "list", "cli-saml")["items"] == []


def test_an_openid_connection_keeps_its_secret_to_itself(product: Product, tmp_path: Path) -> None:
    ordered(product, "cli-oidc")
    secret = tmp_path / "secret"
    secret.write_text("s3cret-of-the-client\n")
    with website(discovery()) as base:
        made = parvis(
            product.folder,
            *("connection", "add", "cli-oidc", "--kind", "oidc", "--name", "Keycloak", "--vendor", "keycloak"),
            *("--issuer", base, "--client-id", "parvis", "--client-secret-file", str(secret)),
        )
    assert made.returncode == 0, made.stderr
    assert "Enter there: redirect URI" in made.stdout
    assert "s3cret" not in made.stdout
    wrong = parvis(product.folder, "connection", "add", "cli-oidc", "--kind", "oidc", "--name", "x", "--role", "chiefs")
    assert wrong.returncode == ExitCode.USAGE


def test_a_policy_is_set_and_what_is_not_named_stays(product: Product) -> None:
    ordered(product, "cli-policy")
    told(product.folder, "policy", "set", "cli-policy", "--session-hours", "8", "--second-factor")
    found = told(product.folder, "policy", "set", "cli-policy", "--network", "192.0.2.9/24")
    assert (found["session_seconds"], found["second_factor"], found["networks"]) == (28800, True, ["192.0.2.0/24"])
    found = told(product.folder, "policy", "set", "cli-policy", "--session-hours", "0", "--network", "everywhere")
    assert (found["session_seconds"], found["networks"]) == (None, [])
    assert "8 h" not in parvis(product.folder, "policy", "show", "cli-policy").stdout


def test_a_directorys_token_stands_alone_on_its_line_and_is_revoked(product: Product) -> None:
    ordered(product, "cli-scim")
    made = parvis(product.folder, "scim", "token", "add", "cli-scim", "--name", "Entra")
    secret = made.stdout.splitlines()[-1]
    assert secret.startswith("pvs_")
    (listed,) = told(product.folder, "scim", "token", "list", "cli-scim")["items"]
    assert secret.startswith(listed["prefix"])
    told(product.folder, "scim", "token", "revoke", "cli-scim", listed["id"], "--yes")
    assert "revoked" in parvis(product.folder, "scim", "token", "list", "cli-scim").stdout


def test_a_set_up_link_is_all_that_its_command_prints(product: Product) -> None:
    ordered(product, "cli-link")
    made = parvis(product.folder, "setup-link", "cli-link", "--purpose", "sign_in")
    assert "/console/set-up/" in made.stdout
    assert len(made.stdout.split()) == 1
