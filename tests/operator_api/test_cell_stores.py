"""Another address and another administrator's key for a cell's Ceph by the API."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from control_plane import placement
from control_plane.audit import SYSTEM
from control_plane.identity import Scope
from control_plane.storage import AccessKey
from kit.db import transaction
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from tests.operator_api.conftest import Api, api_of
from tests.world.administrators import administrator, settings, works
from tests.world.house import House, open_house

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

SECRET = "s" * 40
PATH = "/cells/local/store"
ROTATION = f"{PATH}/key-rotation"


@pytest.fixture
def admin(ceph: "RunningCeph") -> AccessKey:
    return administrator(ceph)


@pytest.fixture
def house(postgres: str, _template: str, vault: Vault, ceph: "RunningCeph", admin: AccessKey) -> Iterator[House]:
    with open_house(postgres, _template, vault, store=settings(ceph, admin)) as opened:
        yield opened


@pytest.fixture
def api(house: House, settings: ControlPlaneSettings) -> Iterator[Api]:
    with api_of(house, settings) as opened:
        yield opened


def kept(house: House) -> dict[str, Any]:
    """The settings of the cell's store as they lie there."""
    with transaction(house.engine) as session:
        return placement.cell(session, "local").store


def told(api: Api) -> str:
    """Everything that is told of the cell's store."""
    answers = [api.get(path) for path in ("/cells/local", "/cells", "/storage", "/audit?verb=cell.")]
    return "".join(one.text for one in answers)


def test_what_is_named_changes_and_the_rest_stays(
    api: Api, house: House, ceph: "RunningCeph", admin: AccessKey
) -> None:
    before = kept(house)
    moved = api.ask("PATCH", PATH, {"endpoint": ceph.endpoints[1], "public_endpoint": "https://files.example"})
    assert moved.status_code == 200, moved.text
    store = moved.json()["store"]
    assert (store["endpoint"], store["public_endpoint"]) == (ceph.endpoints[1], "https://files.example")
    assert (store["admin_key_id"], store["admin_key_since"]) == (admin.key_id, None)
    assert kept(house) == {**before, "endpoint": ceph.endpoints[1], "public_endpoint": "https://files.example"}
    same = api.ask("PATCH", PATH, {"public_endpoint": None})
    assert same.json()["store"]["public_endpoint"] is None


def test_another_key_is_sealed_and_never_told(api: Api, house: House, ceph: "RunningCeph", vault: Vault) -> None:
    other = administrator(ceph)
    made = api.ask("PATCH", PATH, {"admin_key_id": other.key_id, "admin_secret": other.secret})
    assert made.status_code == 200, made.text
    sealed = kept(house)["admin_secret_sealed"]
    assert vault.open(sealed, placement.admin_purpose("local")) == other.secret
    seen = made.text + told(api)
    assert other.key_id in seen
    assert other.secret not in seen + json.dumps(kept(house))
    assert sealed not in seen


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"endpoint": "http://127.0.0.1:9"}, "endpoint", "store_unreachable"),
        ({"endpoint": None}, "endpoint", "wrong_type"),
        ({"endpoint": "gateway"}, "endpoint", "wrong_form"),
        ({"public_endpoint": "http://files.example/a"}, "public_endpoint", "store_address_wrong"),
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file", "store_ca_missing"),
        ({"admin_key_id": "NOBODY"}, "admin_secret", "store_secret_missing"),
        ({"admin_secret": SECRET}, "admin_key_id", "store_rights"),
        ({"kind": "files"}, "kind", "unknown_field"),
        ({"region": "other"}, "region", "unknown_field"),
    ],
)
def test_a_wrong_change_is_refused_by_field_and_nothing_is_stored(
    api: Api, house: House, body: dict[str, Any], field: str, code: str
) -> None:
    before = kept(house)
    answer = api.ask("PATCH", PATH, body)
    assert answer.status_code == 422, answer.text
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]
    assert SECRET not in answer.text
    assert kept(house) == before


def test_another_ceph_is_refused_in_both_languages(api: Api, house: House, ceph_tls: "RunningCeph") -> None:
    house.live(address="api-kept")
    other = administrator(ceph_tls)
    body = {"endpoint": ceph_tls.endpoint, "ca_file": str(ceph_tls.ca_file)}
    body |= {"admin_key_id": other.key_id, "admin_secret": other.secret}
    english, french = api.ask("PATCH", PATH, body), api.ask("PATCH", PATH, body, accept_language="fr")
    assert [(one["field"], one["code"]) for one in english.json()["errors"]] == [("endpoint", "store_other")]
    assert "1 of the cell's 1 organisations" in english.text
    assert "C’est un autre stockage" in french.text


def test_a_key_is_replaced_once_for_a_key_of_the_request(
    api: Api, house: House, ceph: "RunningCeph", admin: AccessKey
) -> None:
    made = api.ask("POST", ROTATION, idempotency_key="rotate-1")
    assert made.status_code == 200, made.text
    again = api.ask("POST", ROTATION, idempotency_key="rotate-1")
    assert (again.json(), again.headers["idempotency-replayed"]) == (made.json(), "true")
    store = made.json()["store"]
    assert store["admin_key_id"] != admin.key_id
    assert store["admin_keys_retiring"] == [admin.key_id]
    assert store["admin_key_since"] is not None
    secret = house.vault.open(kept(house)["admin_secret_sealed"], placement.admin_purpose("local"))
    assert works(ceph, AccessKey(store["admin_key_id"], secret))
    assert works(ceph, admin)
    assert secret not in made.text + told(api)


def test_a_cell_that_is_not_there_and_a_store_of_files_have_none(api: Api, house: House) -> None:
    with transaction(house.engine) as session:
        placement.add_cell(session, "files", "fr-par", [], {"kind": "files", "root": "/nowhere"}, SYSTEM)
    for method, path, body in (("PATCH", "store", {}), ("POST", "store/key-rotation", None)):
        assert api.ask(method, f"/cells/absent/{path}", body).status_code == 404
        refused = api.ask(method, f"/cells/files/{path}", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "store_not_ceph")


def test_who_may_only_read_cells_changes_none(api: Api, house: House) -> None:
    reader, before = api.issue(Scope.CELLS_READ), kept(house)
    assert reader.ask("PATCH", PATH, {}).status_code == 403
    assert reader.ask("POST", ROTATION).status_code == 403
    assert kept(house) == before
