"""How an organisation signs in, by the API: as its services do it, with versions and keys, and no secret told twice."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from control_plane.identity import Scope
from kit.settings import ControlPlaneSettings
from tests.identity.connections import certificate, metadata
from tests.identity.organisations import Setting
from tests.operator_api.conftest import Api, api_of
from tests.world.house import House
from tests.world.names import NameServer, name_server


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


@pytest.fixture(scope="module")
def api(house: House, settings: ControlPlaneSettings, names: NameServer) -> Iterator[Api]:
    import dataclasses

    with api_of(house, dataclasses.replace(settings, dns_resolvers=(names.resolver,))) as opened:
        yield opened


@pytest.fixture
def acme(house: House, settings: ControlPlaneSettings, names: NameServer) -> Setting:
    return Setting(house, settings, [names], house.live())


def at(acme: Setting, rest: str) -> str:
    return f"/organisations/{acme.organisation_id}{rest}"


def connect(api: Api, acme: Setting, **fields: Any) -> dict[str, Any]:
    body = {"kind": "saml", "name": "Entra ID", "vendor": "entra", "metadata_xml": metadata(certificate()), **fields}
    answer = api.ask("POST", at(acme, "/connections"), body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"].endswith(f"/connections/{made['id']}")
    assert answer.headers["etag"] == '"1"'
    return made


def change(api: Api, path: str, body: Any, version: int | None, method: str = "PATCH") -> httpx.Response:
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    return api.ask(method, path, body, **headers)


def test_a_domain_is_claimed_checked_and_given_up(api: Api, acme: Setting, names: NameServer) -> None:
    name = f"acme-{uuid4().hex[:8]}.example"
    answer = api.ask("POST", at(acme, "/domains"), {"name": name})
    assert answer.status_code == 201
    made = answer.json()
    where = at(acme, f"/domains/{made['id']}")
    names.texts[made["record_name"]] = []
    (told,) = api.ask("POST", f"{where}/check").json()["answers"]
    assert (told["resolver"], told["trouble"]) == (names.told, "no_record")
    names.texts[made["record_name"]] = [made["record_value"]]
    assert api.ask("POST", f"{where}/check").json()["state"] == "proven"
    assert api.ask("PATCH", where, {"capture": False}).json()["capture"] is False
    assert [one["name"] for one in api.get(at(acme, "/domains")).json()["items"]] == [name]
    assert api.ask("DELETE", where).status_code == 204
    assert api.get(where).status_code == 404


def test_a_public_mail_domain_is_refused_by_name(api: Api, acme: Setting) -> None:
    problem = api.ask("POST", at(acme, "/domains"), {"name": "gmail.com"}).json()
    assert (problem["code"], problem["status"]) == ("domain_public", 422)


def test_a_connection_is_told_with_our_addresses_and_changed_by_who_saw_it(api: Api, acme: Setting) -> None:
    made = connect(api, acme)
    where = at(acme, f"/connections/{made['id']}")
    assert made["service"]["acs_url"].endswith(f"/saml/{made['id']}/acs")
    assert made["certificates"][0]["expired"] is False
    assert "BEGIN CERTIFICATE" in made["keys"][0]["pem"]
    assert change(api, where, {"name": "Microsoft"}, None).status_code == 428
    assert change(api, where, {"name": "Microsoft"}, 7).status_code == 412
    changed = change(api, where, {"name": "Microsoft", "otherwise": None}, 1)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["name"], changed.json()["otherwise"]) == ("Microsoft", None)
    assert api.get(where).headers["etag"] == '"2"'
    rotated = api.ask("POST", f"{where}/key-rotation", {"step": "announce"}).json()
    assert [key["state"] for key in rotated["keys"]] == ["current", "next"]


def test_a_stage_names_everything_that_is_in_its_way(api: Api, acme: Setting) -> None:
    made = connect(api, acme)
    where = at(acme, f"/connections/{made['id']}")
    refused = change(api, f"{where}/stage", {"stage": "enforced"}, 1, "PUT")
    assert refused.status_code == 409
    assert [one["code"] for one in refused.json()["errors"]] == [
        "stage_untested",
        "stage_domains",
        "stage_administrator",
        "stage_break_glass",
    ]
    acme.went(UUID(made["id"]), "test")
    assert change(api, f"{where}/stage", {"stage": "tested"}, 1, "PUT").json()["stage"] == "tested"
    (trace,) = api.get(f"{where}/traces").json()["items"]
    assert (trace["purpose"], trace["outcome"]) == ("test", "ok")
    assert "/sso/" in api.ask("POST", f"{where}/test").json()["url"]
    assert change(api, where, None, 1, "DELETE").status_code == 412
    assert change(api, where, None, 2, "DELETE").status_code == 204


def test_a_wrong_setting_names_the_failed_check_in_the_callers_language(api: Api, acme: Setting) -> None:
    body = {"kind": "saml", "name": "x", "metadata_xml": "<html></html>"}
    problem = api.ask("POST", at(acme, "/connections"), body, **{"Accept-Language": "fr"}).json()
    assert (problem["code"], problem["status"]) == ("saml_metadata_html", 422)
    assert problem["detail"].isascii() is False
    unknown = api.ask("POST", at(acme, "/connections"), {"kind": "saml", "name": "x", "settings": {"audience": "x"}})
    assert unknown.status_code == 422


def test_a_policy_is_changed_by_who_saw_it(api: Api, acme: Setting) -> None:
    where = at(acme, "/sign-in-policy")
    assert api.get(where).headers["etag"] == '"0"'
    assert change(api, where, {"second_factor": True}, None).status_code == 428
    changed = change(api, where, {"second_factor": True, "networks": ["192.0.2.9/24"]}, 0)
    assert changed.json()["networks"] == ["192.0.2.0/24"]
    assert acme.published().policy.second_factor
    assert change(api, where, {"session_seconds": 1}, int(changed.headers["etag"].strip('"'))).status_code == 422


def test_a_directorys_token_is_shown_once_and_the_same_key_shows_the_same_again(api: Api, acme: Setting) -> None:
    where = at(acme, "/scim-tokens")
    first = api.ask("POST", where, {"name": "Entra"}, **{"Idempotency-Key": "once"})
    again = api.ask("POST", where, {"name": "Entra"}, **{"Idempotency-Key": "once"})
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json()["scim_url"].endswith("/scim/v2")
    listed = api.get(where).text
    assert first.json()["secret"] not in listed
    token = first.json()["token"]["id"]
    assert api.ask("DELETE", f"{where}/{token}").status_code == 204
    assert api.get(where).json()["items"][0]["alive"] is False


def test_a_set_up_link_is_made_and_revoked(api: Api, acme: Setting) -> None:
    where = at(acme, "/set-up-links")
    made = api.ask("POST", where, {"purpose": "sign_in"}).json()
    assert "/console/set-up/" in made["url"]
    assert api.ask("DELETE", f"{where}/{made['link']['id']}").status_code == 204
    assert api.get(where).json()["items"][0]["alive"] is False


def test_reading_wants_its_scope_and_writing_another(api: Api, acme: Setting) -> None:
    reader = api.issue(Scope.IDENTITY_READ)
    assert reader.get(at(acme, "/domains")).status_code == 200
    assert reader.ask("POST", at(acme, "/domains"), {"name": "acme.example"}).status_code == 403


def test_what_belongs_to_another_organisation_is_not_there(
    api: Api, acme: Setting, house: House, settings: ControlPlaneSettings, names: NameServer
) -> None:
    rival = Setting(house, settings, [names], house.live())
    made = connect(api, acme)
    for path in (f"/connections/{made['id']}", f"/connections/{made['id']}/traces"):
        assert api.get(at(acme, path)).status_code == 200
        assert api.get(at(rival, path)).status_code == 404
