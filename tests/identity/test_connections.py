"""Connections: what of a provider is believed, what is published of it, and that no secret is ever told."""

import base64
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from control_plane import identity, placement
from control_plane.identity import ConnectionChange, ConnectionView, NewConnection
from kit.db import transaction
from kit.errors import Refusal, Refusals
from kit.saml import Key
from tenant_app.contract import seal_purpose
from tests.identity.connections import SSO, certificate, change, discovery, metadata, saml, website
from tests.identity.organisations import ADA, Setting


def test_a_saml_connection_begins_as_a_draft_and_is_published_with_a_key_of_its_own(acme: Setting) -> None:
    domain = acme.proven(f"acme-{uuid4().hex[:8]}.example")
    made = saml(acme, domains=[domain.name, "unproven.example"], roles={"chiefs": "administrator"})
    assert (made.stage, made.vendor, made.settings["sso_url"]) == ("draft", "entra", SSO)
    assert (made.domains, made.proven_domains) == ((domain.name, "unproven.example"), (domain.name,))
    assert made.attributes["email"].endswith("/claims/emailaddress")
    (found,) = acme.published().connections
    assert (found.id, found.kind, found.domains, found.stage) == (made.id, "saml", (domain.name,), "draft")
    assert found.roles == {"chiefs": "administrator"}
    (key,) = found.settings["keys"]
    with transaction(acme.house.engine) as session:
        seals = placement.cell_vault(session, acme.house.vault, "local")
    private = base64.b64decode(seals.open(key["key_sealed"], seal_purpose(made.id)))
    ours = Key.from_der(base64.b64decode(key["certificate"]), private)
    assert ours.private.key_size == 3072
    assert made.keys[0].certificate.fingerprint
    assert "BEGIN CERTIFICATE" in made.keys[0].pem


def test_publishing_the_same_again_wakes_nobody(acme: Setting) -> None:
    saml(acme)
    acme.published()
    before = acme.house.cell.health().directory_version
    acme.house.wake(acme.organisation_id)
    acme.house.settle(acme.organisation_id)
    acme.house.loop().run(acme.organisation_id)
    assert acme.house.cell.health().directory_version == before


def test_fields_serve_as_well_as_metadata_and_each_wrong_one_is_named(acme: Setting) -> None:
    fields = {"entity_id": "https://idp.example", "sso_url": SSO, "certificates": [certificate()]}
    assert saml(acme, settings=fields).certificates_until is not None
    wrong = {
        "settings.sso_url": {"sso_url": "http://idp.example/sso"},
        "settings.entity_id": {"entity_id": " "},
        "settings.sso_binding": {"sso_binding": "artifact"},
        "settings.audience": {"audience": "x"},
        "settings.certificates": {"certificates": "text"},
    }
    for field, change_of in wrong.items():
        with pytest.raises(Refusal) as refusal:
            saml(acme, settings=fields | change_of)
        assert refusal.value.field == field


def test_certificates_that_would_let_nobody_in_are_refused(acme: Setting) -> None:
    cases = {
        "saml_no_certificate": [],
        "saml_certificate_expired": [certificate(lasts=timedelta(days=-1))],
        "saml_certificate_unreadable": ["not base64"],
    }
    for code, certificates in cases.items():
        with pytest.raises(Refusal) as refusal:
            saml(acme, settings={"entity_id": "x", "sso_url": SSO, "certificates": certificates})
        assert refusal.value.code == code


def test_an_oidc_connection_asks_its_provider_and_seals_the_secret(acme: Setting) -> None:
    with website(discovery()) as base:
        asked = {"issuer": base, "client_id": "parvis", "client_secret": "s3cret-of-the-client"}
        made = acme.add(NewConnection(kind="oidc", name="Keycloak", vendor="keycloak", settings=asked))
    assert made.has_secret
    assert made.settings == {
        "issuer": base,
        "client_id": "parvis",
        "auth_method": "client_secret_basic",
        "scopes": ["openid", "email", "profile"],
    }
    settings = acme.published().connections[0].settings
    with transaction(acme.house.engine) as session:
        seals = placement.cell_vault(session, acme.house.vault, "local")
    assert seals.open(settings["client_secret_sealed"], seal_purpose(made.id)) == "s3cret-of-the-client"


def test_no_secret_stands_in_a_view_an_event_or_a_text(acme: Setting) -> None:
    with website(discovery()) as base:
        asked = {"issuer": base, "client_id": "parvis", "client_secret": "s3cret-of-the-client"}
        made = acme.add(NewConnection(kind="oidc", name="Keycloak", settings=asked))
        changed = change(acme, made, settings={"client_secret": "an0ther-secret"})
    told = f"{made!r} {changed!r} {acme.event('connection.added')} {acme.event('connection.changed')}"
    assert "secret" in told
    assert "s3cret" not in told
    assert "an0ther" not in told
    assert acme.event("connection.changed")["replaced"] == "client secret"


def test_an_issuer_that_is_none_is_refused_by_the_check_that_failed(acme: Setting) -> None:
    asked = {"client_id": "parvis", "client_secret": "x"}
    cases: dict[str, dict[str, Any]] = {
        "issuer_announced": {"issuer": "https://elsewhere.example"},
        "code_flow": {"response_types_supported": ["token"]},
        "auth_method_unsupported": {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    }
    for code, document in cases.items():
        with website(discovery(**document)) as base, pytest.raises(Refusal) as refusal:
            acme.add(NewConnection(kind="oidc", name="x", settings=asked | {"issuer": base}))
        assert refusal.value.code.endswith(code)


def test_without_its_setting_no_private_address_is_asked(acme: Setting) -> None:
    import dataclasses

    strict = dataclasses.replace(acme.settings, allow_private_fetch=False)
    with website(discovery()) as base, transaction(acme.house.engine) as session:
        for new in (
            NewConnection(kind="saml", name="x", metadata_url=f"{base.replace('http', 'https')}/metadata"),
            NewConnection(kind="oidc", name="x", settings={"issuer": base, "client_id": "x", "client_secret": "x"}),
        ):
            with pytest.raises(Refusal) as refusal:
                identity.add_connection(session, strict, acme.organisation_id, new, actor=ADA)
            assert refusal.value.code in {"address_private", "not_https", "openid_issuer_shape", "oidc_issuer_shape"}


def test_every_wrong_field_of_a_mapping_is_named_at_once(acme: Setting) -> None:
    with pytest.raises(Refusals) as refusals:
        saml(acme, domains=["gmail.com"], roles={"chiefs": "owner"}, otherwise="king", attributes={"name": "n"})
    assert [one.field for one in refusals.value.refusals] == ["domains", "attributes.email", "roles", "otherwise"]


def test_groups_become_the_highest_role_that_matches(acme: Setting) -> None:
    made = saml(acme, roles={"staff": "member", "chiefs": "administrator", "visitors": "guest"}, otherwise=None)
    for groups, role in ((["staff", "chiefs", "x"], "administrator"), (["visitors"], "guest"), (["x"], None)):
        assert identity.role_for(made, groups) == role
    assert identity.role_for(change(acme, made, otherwise="guest"), []) == "guest"


def test_a_change_tells_its_difference_and_is_refused_to_who_saw_an_older_version(acme: Setting) -> None:
    made = saml(acme)
    changed = change(acme, made, name="Microsoft", pilot=["Ada@Acme.example"])
    assert (changed.revision, changed.pilot) == (made.revision + 1, ("ada@acme.example",))
    told = acme.event("connection.changed")
    assert (told["before"], told["after"]) == (
        {"name": "Entra ID", "pilot": []},
        {"name": "Microsoft", "pilot": ["ada@acme.example"]},
    )
    with pytest.raises(Refusal) as refusal:
        acme.with_settings(
            identity.change_connection, made.id, ConnectionChange(name="X"), actor=ADA, revision=made.revision
        )
    assert (refusal.value.code, refusal.value.status) == ("stale", 412)
    assert change(acme, changed, name="Microsoft").revision == changed.revision


def test_our_next_key_is_published_before_it_is_used_and_the_one_before_goes_on_opening(acme: Setting) -> None:
    made = saml(acme)
    with pytest.raises(Refusal, match="Announce"):
        acme.call(identity.use_next_key, made.id, actor=ADA)
    announced: ConnectionView = acme.call(identity.announce_key, made.id, actor=ADA)
    assert [key.state for key in announced.keys] == ["current", "next"]
    first, second = (key["certificate"] for key in acme.published().connections[0].settings["keys"])
    used: ConnectionView = acme.call(identity.use_next_key, made.id, actor=ADA)
    assert [key.state for key in used.keys] == ["current", "past"]
    assert [key["certificate"] for key in acme.published().connections[0].settings["keys"]] == [second, first]
    acme.call(identity.announce_key, made.id, actor=ADA)
    again: ConnectionView = acme.call(identity.use_next_key, made.id, actor=ADA)
    assert [key.state for key in again.keys] == ["current", "past"]
    assert len({key["certificate"] for key in acme.published().connections[0].settings["keys"]} - {first}) == 2


def test_a_removed_connection_is_gone_from_the_record_with_its_keys(acme: Setting) -> None:
    made = saml(acme)
    acme.call(identity.remove_connection, made.id, actor=ADA)
    assert acme.published().connections == ()
    assert acme.house.sql("select count(*) from sign_in_key where connection_id = :id", id=made.id) == [(0,)]


def test_a_test_run_has_a_token_of_half_an_hour_that_only_its_hash_tells(acme: Setting) -> None:
    made = saml(acme)
    run = acme.with_settings(identity.start_test, made.id, actor=ADA)
    assert f"/sso/{made.id}?test=" in run.url
    settings = acme.published().connections[0].settings
    assert len(settings["test_sha256"]) == 64
    assert settings["test_sha256"] not in run.url
    acme.house.sql("update sign_in_connection set test_until = now() where id = :id", id=made.id)
    identity.end_tests(acme.house.engine)
    assert "test_sha256" not in acme.published().connections[0].settings


@pytest.mark.parametrize(("days", "notices"), [(61, 0), (60, 1), (29, 1), (13, 1), (2, 1)])
def test_a_certificate_that_ends_is_told_of_once_a_step(acme: Setting, days: int, notices: int) -> None:
    ends = timedelta(days=days, hours=-1) if notices else timedelta(days=days)
    made = saml(acme, metadata_xml=metadata(certificate(lasts=ends)))
    acme.house.sql("update sign_in_connection set stage = 'tested' where id = :id", id=made.id)
    for _ in range(2):
        identity.send_notices(acme.house.engine)
    acme.house.post()
    mails = [mail for mail in acme.house.sent if mail.organisation_id == acme.organisation_id]
    assert [mail.kind for mail in mails].count("certificate_expiring") == notices


def test_what_an_erased_organisation_had_set_up_is_forgotten(acme: Setting) -> None:
    acme.proven(f"acme-{uuid4().hex[:8]}.example")
    saml(acme)
    acme.house.settle(acme.organisation_id)
    acme.house.close_and_erase(acme.organisation_id)
    acme.house.settle(acme.organisation_id)
    assert identity.forget_erased(acme.house.engine) >= 3
    for table in ("organisation_domain", "sign_in_connection", "sign_in_rules"):
        query = f"select count(*) from {table} where organisation_id = :id"
        assert acme.house.sql(query, id=acme.organisation_id) == [(0,)]


def test_a_connection_of_somebody_else_is_not_to_be_seen(acme: Setting, rival: Setting) -> None:
    made = saml(acme)
    for verb in (identity.connection, identity.traces):
        with pytest.raises(Refusal) as refusal:
            rival.call(verb, made.id)
        assert refusal.value.status == 404
    for verb in (identity.remove_connection, identity.announce_key):
        with pytest.raises(Refusal) as refusal:
            rival.call(verb, made.id, actor=ADA)
        assert refusal.value.status == 404
