"""Connecting a directory: drafts, metadata and fields, each wrong thing beside its field, stages, traces, removal."""

import base64
import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import httpx
import pytest
from psycopg.types.json import Jsonb

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.identity import ConnectionView
from kit.db import transaction
from kit.ids import new_id
from tests.console.asking import errors_in, send
from tests.console.certificate import pem
from tests.console.furnish import proven, saml_connection, trace
from tests.identity.connections import certificate, discovery, metadata, website
from tests.world.console_door import ConsoleDoor
from tests.world.house import House

SP = """<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://sp.example"><md:SPSSODescriptor
 protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:AssertionConsumerService index="0"
 Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://sp.example/acs"/></md:SPSSODescriptor>
</md:EntityDescriptor>"""


@pytest.fixture(scope="module")
def organisation(door: ConsoleDoor) -> UUID:
    return door.house.live(name="Ville de Saint-Aubin")


@pytest.fixture
def owner(door: ConsoleDoor, organisation: UUID) -> Any:
    with door.client(organisation, door.person(organisation)) as client:
        yield client


def draft(client: httpx.Client, vendor: str = "generic", kind: str = "saml") -> str:
    """The path of a fresh draft, below /console."""
    made = send(client, "/sign-in", vendor=vendor, kind=kind)
    assert made.status_code == 303, made.text
    return str(made.headers["location"]).partition("?")[0].removeprefix("/console")


def seen(door: ConsoleDoor, organisation: UUID, path: str) -> ConnectionView:
    with transaction(door.house.engine) as session:
        return identity.connection(session, organisation, UUID(path.rpartition("/")[2]))


@pytest.mark.parametrize("kind", ["saml", "oidc"])
@pytest.mark.parametrize("vendor", ["entra", "okta", "google", "adfs", "keycloak", "generic"])
def test_a_draft_shows_what_to_copy_before_anything_is_known_of_the_other_side(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client, vendor: str, kind: str
) -> None:
    path = draft(owner, vendor, kind)
    page, one = owner.get(f"/console{path}").text, seen(door, organisation, path)
    base = door.house.get(organisation).address
    host = f"http://{base}.parvis.localhost:{door.port}"
    wanted = [f"/saml/{one.id}/metadata", f"/saml/{one.id}/acs"] if kind == "saml" else [f"/oidc/{one.id}/callback"]
    for address in wanted:
        assert f'value="{host}{address}"' in page
        assert f'data-copy="{host}{address}"' in page
    for name in one.attributes.values():
        assert name in page
    # There is nothing to test yet, and it says so.
    assert 'action="/console' + path + '/test"' not in page
    refused = send(owner, f"{path}/test")
    assert (refused.status_code, "First say what we need to know" in refused.text) == (422, True)
    send(owner, f"{path}/removal", confirm_name=one.name)


def test_neither_directory_nor_speech_chosen_is_told_beside_both(owner: httpx.Client) -> None:
    refused = send(owner, "/sign-in", name="Annuaire de la mairie")
    assert refused.status_code == 422
    assert set(errors_in(refused)) == {"vendor", "kind"}
    assert 'value="Annuaire de la mairie"' in refused.text


WRONG_XML = {
    "the metadata of a service": (SP, "of a service, not of an identity provider"),
    "a web page": ("<html><body>Sign in</body></html>", "web page"),
    "no XML": ("certainly not", "XML"),
    "a DOCTYPE": ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + metadata(certificate()), "DOCTYPE"),
    "an expired certificate": (metadata(certificate(lasts=timedelta(days=-3))), "valid until"),
    "no certificate": (metadata(), "there is none for signing"),
    "nothing": ("", "Give the metadata of your directory"),
}


@pytest.mark.parametrize("wrong", WRONG_XML)
def test_wrong_metadata_is_told_beside_it_with_the_cure_and_kept(owner: httpx.Client, wrong: str) -> None:
    text, words = WRONG_XML[wrong]
    refused = send(owner, draft(owner), way="xml", metadata_xml=text, name="Annuaire <&>")
    assert refused.status_code == 422
    told = errors_in(refused)
    assert set(told) == {"metadata_xml"}
    assert words in told["metadata_xml"]
    assert 'value="Annuaire &lt;&amp;&gt;"' in refused.text
    typed = re.search(r'<textarea[^>]*id="metadata_xml"[^>]*>(.*?)</textarea>', refused.text, re.DOTALL)
    assert typed
    assert unescape(typed[1]) == text


WRONG_URLS = {
    "": "Give the metadata of your directory",
    "not an address": "address",
    "ftp://files.example/metadata": "address",
    "http://127.0.0.1:9/metadata": "127.0.0.1",
}


@pytest.mark.parametrize("url", WRONG_URLS)
def test_an_address_that_gives_no_metadata_is_told_beside_it(owner: httpx.Client, url: str) -> None:
    refused = send(owner, draft(owner), way="url", metadata_url=url)
    assert refused.status_code == 422
    assert set(errors_in(refused)) == {"metadata_url"}
    assert WRONG_URLS[url] in errors_in(refused)["metadata_url"]
    assert f'value="{url}"' in refused.text


def test_metadata_is_read_from_its_address_and_read_again(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client
) -> None:
    pages = {"/metadata": ("application/xml", metadata(certificate()))}
    with website(pages) as site:
        path = draft(owner)
        assert send(owner, path, way="url", metadata_url=f"{site}/metadata").status_code == 303
        one = seen(door, organisation, path)
        assert one.settings["entity_id"] == "https://idp.acme.example"
        page = owner.get(f"/console{path}").text
        assert "https://idp.acme.example/sso" in page
        assert "Valid until" in page
        pages["/metadata"] = ("application/xml", metadata(certificate(), certificate()))
        assert send(owner, f"{path}/refresh").status_code == 303
        assert len(seen(door, organisation, path).certificates) == 2
        pages["/metadata"] = ("application/xml", metadata(certificate(), entity_id="https://other.example"))
        refused = send(owner, f"{path}/refresh")
        assert (refused.status_code, set(errors_in(refused))) == (422, {"metadata_url"})


def test_fields_are_taken_and_each_wrong_one_is_told_beside_itself(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client
) -> None:
    path = draft(owner)
    good = {
        "way": "fields",
        "entity_id": "https://idp.acme.example",
        "sso_url": "https://idp.acme.example/sso",
        "certificates": pem("IdP"),
    }
    for field, value in {
        "entity_id": "",
        "sso_url": "javascript:alert(1)",
        "slo_url": "http://idp.acme.example/slo",
        "certificates": "-----BEGIN NONSENSE-----",
    }.items():
        refused = send(owner, path, **{**good, field: value})
        assert (refused.status_code, set(errors_in(refused))) == (422, {field}), field
        kept = {name for name, typed in good.items() if name != field and typed.split("\n")[0] in refused.text}
        assert {"entity_id", "sso_url"} - {field} <= kept
    assert send(owner, path, **good).status_code == 303
    # Left empty, the certificate that we have stays; several are taken at once.
    assert send(owner, path, **{**good, "certificates": "", "sign_requests": "1"}).status_code == 303
    assert len(seen(door, organisation, path).certificates) == 1
    assert send(owner, path, **{**good, "certificates": pem("A") + pem("B", days=20)}).status_code == 303
    assert len(seen(door, organisation, path).certificates) == 2
    assert seen(door, organisation, path).settings["sign_requests"] is False


def test_an_issuer_is_asked_and_a_secret_is_never_shown_again(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client
) -> None:
    path, secret = draft(owner, "keycloak", "oidc"), "s3cret-" + base64.b32encode(b"parvis").decode()
    with website(discovery()) as site:
        given = {"issuer": site, "client_id": "parvis", "auth_method": "client_secret_basic"}
        missing = send(owner, path, **given)
        assert set(errors_in(missing)) == {"client_secret"}
        wrong = send(owner, path, **{**given, "issuer": f"{site}/elsewhere"}, client_secret=secret)
        assert set(errors_in(wrong)) == {"issuer"}
        assert secret not in wrong.text
        assert send(owner, path, **given, client_secret=secret).status_code == 303
        assert send(owner, path, **given, name="Renamed").status_code == 303
    one = seen(door, organisation, path)
    assert (one.has_secret, one.name, one.settings["issuer"]) == (True, "Renamed", site)
    assert secret not in owner.get(f"/console{path}").text
    told = door.house.sql("select data::text from audit_event where organisation_id = :id", id=organisation)
    assert not any(secret in row[0] for row in told)


def test_groups_become_roles_and_the_preview_tells_what_they_give(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client
) -> None:
    connection = saml_connection(door, organisation, "Correspondances", domains=[])
    path = f"/sign-in/{connection}/people"
    mapping: dict[str, Any] = {
        "group": ["direction", "agents", ""],
        "group_role": ["administrator", "guest", "member"],
        "otherwise": "",
        "just_in_time": "1",
        "pilot": "karim@saint-aubin.example\nLEA@saint-aubin.example",
        "attribute.email": "mail",
    }
    twice = send(owner, path, **{**mapping, "group": ["direction", "direction", ""]})
    assert (twice.status_code, set(errors_in(twice))) == (422, {"roles"})
    assert twice.text.count('value="direction"') == 2
    unnamed = send(owner, path, **{**mapping, "attribute.email": ""})
    assert unnamed.status_code == 422
    assert "in which attribute the e-mail comes" in unnamed.text
    assert send(owner, path, **mapping).status_code == 303
    one = seen(door, organisation, f"/{connection}")
    assert one.roles == {"direction": "administrator", "agents": "guest"}
    assert (one.otherwise, one.pilot) == (None, ("karim@saint-aubin.example", "lea@saint-aubin.example"))
    page = owner.get(f"/console{path}", params={"groups": "Karim: agents, direction\nLea: agents\nPaul: none"}).text
    shown = re.findall(r'<span class="strong">(\w+)</span></span></th>.*?<td>.*?</svg>(\w+)</span>', page)
    assert shown == [("Karim", "Administrator"), ("Lea", "Guest"), ("Paul", "Refused")]


def test_a_test_run_leads_to_the_workspaces_own_door(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client
) -> None:
    connection = saml_connection(door, organisation, "À tester", domains=[])
    answer = send(owner, f"/sign-in/{connection}/test")
    assert answer.status_code == 200
    found = re.search(r'content="0;url=([^"]+)"', answer.text)
    assert found
    address = door.house.get(organisation).address
    assert found[1].startswith(f"http://{address}.parvis.localhost:{door.port}/sso/{connection}?test=")


def test_a_failed_test_names_the_check_what_came_and_the_cure(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client
) -> None:
    connection = saml_connection(door, organisation, "En échec", domains=[])
    checks = [
        {"name": "signature_key", "ok": True},
        {"name": "audience", "ok": False, "seen": "<b>us</b>", "wanted": "you"},
    ]
    trace(door, organisation, connection, "test", {"checks": checks, "refusal": "saml_audience"})
    page = owner.get(f"/console/sign-in/{connection}").text
    assert "Check of the audience failed" in page
    assert "&lt;b&gt;us&lt;/b&gt;" in page
    assert "What to do:" in page
    assert "<b>us</b>" not in page
    # The workspace tells its own refusals in words, with what fills their places.
    message = "{provider} sent no e-mail address (received: {seen})."
    words = {"message": message, "params": {"provider": "X", "seen": "—"}}
    trace(door, organisation, connection, "test", {"refusal": "sso_email_missing", "words": words})
    assert "X sent no e-mail address (received: —)." in owner.get(f"/console/sign-in/{connection}").text
    # The control: a sentence that reaches for more than its params is not filled.
    sly = {"message": "{seen.__class__} {elsewhere}", "params": {"seen": "x"}}
    trace(door, organisation, connection, "test", {"refusal": "sso_sly", "words": sly})
    assert "The sign-in was refused (sso_sly)." in owner.get(f"/console/sign-in/{connection}").text
    # Whatever stands in a trace, the page stands too.
    for odd in (
        {},
        {"checks": "none"},
        {"checks": [1, {"name": 3}], "claims": [], "result": None, "refusal": "new_one"},
    ):
        trace(door, organisation, connection, "test", odd)
        assert owner.get(f"/console/sign-in/{connection}").status_code == 200
        assert owner.get(f"/console/sign-in/{connection}/traces").status_code == 200


def test_what_a_sign_in_changed_of_a_person_is_shown_as_it_was_and_is(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client
) -> None:
    connection = saml_connection(door, organisation, "Nouveau nom", domains=[])
    checks = [
        {"name": "signature_key", "ok": True, "seen": "AA:BB", "wanted": "AA:BB"},
        {"name": "email_changed", "ok": True, "seen": "lea.roux@ville.example", "wanted": "lea@ville.example"},
        {"name": "email_kept", "ok": True, "seen": "x@ville.example", "wanted": "an address of nobody else here"},
    ]
    trace(door, organisation, connection, "sign_in", {"checks": checks, "result": {"action": "signed_in"}})
    page = owner.get(f"/console/sign-in/{connection}/traces?lang=fr").text
    told = " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert "Reçu : lea.roux@ville.example Avant : lea@ville.example" in told
    assert "Attendu : une adresse qui n’est à personne d’autre ici" in told
    # The control: what merely held says no more than that.
    assert "AA:BB" not in told


def test_stages_go_up_with_proof_only_and_down_at_any_time(
    door: ConsoleDoor, house: House, owner: httpx.Client, organisation: UUID
) -> None:
    proven(door, organisation, "etapes.example")
    connection = saml_connection(door, organisation, "Par étapes", domains=["etapes.example"])
    path = f"/sign-in/{connection}"
    for stage in ("tested", "pilot", "enforced", "heaven"):
        refused = send(owner, f"{path}/stage", stage=stage)
        assert refused.status_code == 422, stage
    assert "Run a test first" in owner.get(f"/console{path}").text
    passed = {"checks": [], "result": {"action": "signed_in"}, "refusal": None}
    trace(door, organisation, connection, "test", passed)
    for stage in ("tested", "pilot"):
        assert send(owner, f"{path}/stage", stage=stage).status_code == 303
    refused = send(owner, f"{path}/stage", stage="enforced")
    assert "within the last 24 hours" in refused.text
    assert "break-glass accounts" in refused.text
    keepers = [door.person(organisation, "owner", passkeys=1) for _ in range(2)]
    with transaction(house.engine) as session:
        change = identity.PolicyChange(break_glass=keepers)
        identity.set_policy(session, organisation, change, actor=SYSTEM)
    door.inside(
        organisation,
        "insert into sso_trace (id, connection_id, purpose, outcome, principal_id, data)"
        " values (%s, %s, 'sign_in', 'ok', %s, %s)",
        *(new_id(), connection, keepers[0], Jsonb(passed)),
    )
    assert send(owner, f"{path}/stage", stage="enforced").status_code == 303
    page = owner.get(f"/console{path}").text
    assert "An administrator must come in by this connection before" in page
    held = send(owner, f"{path}/removal", confirm_name="Par étapes")
    assert held.status_code == 422
    assert send(owner, f"{path}/stage", stage="pilot").status_code == 303
    mistyped = send(owner, f"{path}/removal", confirm_name="par étapes")
    assert set(errors_in(mistyped)) == {"confirm_name"}
    assert send(owner, f"{path}/removal", confirm_name="Par étapes").status_code == 303
    assert owner.get(f"/console{path}").status_code == 404


def test_our_next_key_is_announced_before_it_is_used(
    door: ConsoleDoor, organisation: UUID, owner: httpx.Client
) -> None:
    connection = saml_connection(door, organisation, "Clés", domains=[])
    path = f"/sign-in/{connection}"
    early = send(owner, f"{path}/key/use")
    assert (early.status_code, "Announce the next key first" in early.text) == (422, True)
    assert send(owner, f"{path}/key").status_code == 303
    assert "Next key" in owner.get(f"/console{path}/certificates").text
    assert send(owner, f"{path}/key/use").status_code == 303
    assert "Past key, still opens" in owner.get(f"/console{path}/certificates").text
