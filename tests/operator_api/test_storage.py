"""Storage by the API: figures of both sides, keys, comparisons, and taking on a store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest

from control_plane import placement
from kit.db import transaction
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from tests.operator_api.conftest import Api, api_of
from tests.world.house import House

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

SECRET = "s" * 40


@pytest.fixture(scope="module")
def api(house: House, settings: ControlPlaneSettings) -> Iterator[Api]:
    """The API of that house, whose cell and store are real."""
    with api_of(house, settings) as opened:
        yield opened


def report(house: House, organisation: UUID, **found: Any) -> None:
    """The workspace's worker has compared both sides."""
    told = {"reconciled_at": "now", "store_bytes": 0, "store_objects": 0, "orphans": 0, "missing": 0, **found}
    with psycopg.connect(house.cell_url) as connection:
        connection.execute("delete from directory.usage where organisation_id = %s", [organisation])
        connection.execute(
            f"insert into directory.usage (organisation_id, {', '.join(told)})"
            f" values (%s, {', '.join(['%s'] * len(told))})".encode(),
            [organisation, *told.values()],
        )


def test_the_cells_stores_are_looked_at_now(api: Api) -> None:
    (told,) = api.get("/storage").json()["items"]
    assert (told["cell"], told["kind"], told["well"]) == ("local", "files", True)
    assert {"name", "ok", "warning", "detail"} == told["checks"][0].keys()
    assert api.get("/storage?cell=local").json()["items"][0]["cell"] == "local"
    assert api.get("/storage?cell=elsewhere").status_code == 404


def test_an_organisation_s_storage_is_told_as_each_side_sees_it(api: Api, house: House) -> None:
    made = house.live(address="api-figures", offer="public-sector")
    report(house, made, storage_bytes=0, orphans=3)
    told = api.get("/organisations/api-figures/storage").json()
    assert (told["sold_bytes"], told["encryption"], told["agreement"]) == (100 * 10**9, "store", "agree")
    assert (told["workspace"]["bytes"], told["store"]["bytes"], told["store"]["objects"]) == (0, 0, 0)
    assert (told["store"]["limit_bytes"], told["store"]["mode"]) == (100 * 10**9, "open")
    assert (told["comparison"]["pending"], told["comparison"]["orphans"]) == (False, 3)
    assert [one["state"] for one in told["keys"]["store"]] == ["current"]
    report(house, made, missing=2)
    told = api.get(f"/organisations/{made}/storage").json()
    assert (told["agreement"], told["findings"]) == ("differ", ["files_missing"])


def test_no_secret_is_told(api: Api, house: House) -> None:
    made = house.live(address="api-secrets")
    ring = house.keyring(made)
    told = api.get("/organisations/api-secrets/storage").text
    assert ring.current.key_id in told
    assert ring.current.secret not in told
    for sealed in house.sql("select secret_sealed from store_key union select wrapped from organisation_key"):
        assert sealed[0] is None or sealed[0] not in told


def test_a_key_is_rotated_once_for_a_key_of_the_request(api: Api, house: House) -> None:
    made = house.live(address="api-rotated")
    path = "/organisations/api-rotated/storage/key-rotation"
    asked = api.ask("POST", path, {"kind": "store"}, idempotency_key="rotate-1")
    assert (asked.status_code, asked.json()["kind"]) == (202, "rotate")
    assert asked.headers["location"] == f"/api/v1/operations/{asked.json()['id']}"
    again = api.ask("POST", path, {"kind": "store"}, idempotency_key="rotate-1")
    assert (again.json()["id"], again.headers["idempotency-replayed"]) == (asked.json()["id"], "true")
    busy = api.ask("POST", path, {"kind": "data"})
    assert (busy.status_code, busy.json()["code"]) == (409, "operation_running")
    house.settle(made)
    keys = api.get("/organisations/api-rotated/storage").json()["keys"]
    assert [one["state"] for one in keys["store"]] == ["current", "retiring"]
    wrong = api.ask("POST", path, {"kind": "house"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "kind")


def test_a_comparison_is_asked_for_and_followed(api: Api, house: House) -> None:
    made = house.live(address="api-compared")
    report(house, made)
    asked = api.ask("POST", "/organisations/api-compared/storage/verification")
    assert (asked.status_code, asked.json()["comparison"]["pending"]) == (202, True)
    assert asked.headers["location"] == f"/api/v1/organisations/{made}/storage"
    report(house, made)
    followed = api.get(asked.headers["location"].removeprefix("/api/v1"))
    assert followed.json()["comparison"]["pending"] is False


def test_what_is_not_there_is_not_compared_and_says_so_in_both_languages(api: Api, house: House) -> None:
    house.order(address="api-ordered")
    path = "/organisations/api-ordered/storage/verification"
    english, french = api.ask("POST", path), api.ask("POST", path, accept_language="fr")
    assert (english.status_code, english.json()["code"]) == (409, "wrong_state")
    assert english.json()["detail"] == "Only a live or read-only workspace is compared with its store."
    assert french.json()["detail"] == "Seul un espace actif ou en lecture seule est comparé à son stockage."


def cell(**store: Any) -> dict[str, Any]:
    """A body that adds a cell with a Ceph."""
    right = {"kind": "ceph", "endpoint": "http://127.0.0.1:9", "admin_key_id": "ADMIN", "admin_secret": SECRET}
    return {"name": "api-ceph", "region": "fr-par", "store": {**right, **store}}


@pytest.mark.parametrize(
    ("store", "fields"),
    [
        ({}, {"store.endpoint": "store_unreachable"}),
        ({"endpoint": "gateway"}, {"store.endpoint": "wrong_form"}),
        ({"endpoint": "http://127.0.0.1:9/bucket"}, {"store.endpoint": "store_address_wrong"}),
        ({"public_endpoint": "https://files.example?a=b"}, {"store.public_endpoint": "store_address_wrong"}),
        ({"ca_file": "/nowhere/ca.pem"}, {"store.ca_file": "store_ca_missing"}),
        ({"kind": "tape"}, {"store.kind": "unknown_value"}),
        ({"kind": "files"}, None),
        ({"colour": "blue"}, {"store.colour": "unknown_field"}),
        ({"admin_secret": 7}, {"store.admin_secret": "wrong_type"}),
        ({"tenant_keys": "yes"}, {"store.tenant_keys": "wrong_type"}),
    ],
)
def test_a_store_that_does_not_fit_is_refused_by_field_and_nothing_is_stored(
    api: Api, store: dict[str, Any], fields: dict[str, str] | None
) -> None:
    answer = api.ask("POST", "/cells", cell(**store))
    assert answer.status_code == 422, answer.text
    assert fields is None or {one["field"]: one["code"] for one in answer.json()["errors"]} == fields
    assert SECRET not in answer.text
    assert api.get("/cells/api-ceph").status_code == 404


def test_a_store_s_kind_is_told_first(api: Api) -> None:
    body = {"name": "api-ceph", "region": "fr-par", "store": {"root": "/srv"}}
    answer = api.ask("POST", "/cells", body)
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [("store.kind", "missing")]


def test_every_setting_of_a_ceph_that_lacks_is_named_at_once(api: Api) -> None:
    answer = api.ask("POST", "/cells", {"name": "api-ceph", "region": "fr-par", "store": {"kind": "ceph"}})
    assert {one["field"] for one in answer.json()["errors"]} == {
        "store.endpoint",
        "store.admin_key_id",
        "store.admin_secret",
    }


def test_a_real_ceph_is_taken_on_and_its_secret_never_told(
    api: Api, house: House, ceph: "RunningCeph", vault: Vault
) -> None:
    right = {"endpoint": ceph.endpoint, "admin_key_id": ceph.admin_key_id, "admin_secret": ceph.admin_secret}
    refused = api.ask("POST", "/cells", cell(**{**right, "admin_secret": SECRET}))
    assert refused.json()["errors"][0]["field"] == "store.admin_key_id"
    assert SECRET not in refused.text
    made = api.ask("POST", "/cells", cell(**right, public_endpoint="https://files.example"), idempotency_key="ceph-1")
    assert made.status_code == 201, made.text
    store = made.json()["store"]
    assert (store["kind"], store["endpoint"], store["public_endpoint"], store["admin_key_id"]) == (
        "ceph",
        ceph.endpoint,
        "https://files.example",
        ceph.admin_key_id,
    )
    told = [made.text, api.get("/cells").text, api.get("/storage").text, api.get("/audit?verb=cell.").text]
    assert not any(ceph.admin_secret in one for one in told)
    with transaction(house.engine) as session:
        kept = placement.cell(session, "api-ceph").store
    assert ceph.admin_secret not in json.dumps(kept)
    assert vault.open(kept["admin_secret_sealed"], placement.admin_purpose("api-ceph")) == ceph.admin_secret
    (seen,) = api.get("/storage?cell=api-ceph").json()["items"]
    assert seen["well"] is True


def test_a_folder_that_cannot_be_used_is_refused(api: Api, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    body = {"name": "api-files", "region": "fr-par", "store": {"kind": "files", "root": str(tmp_path / "file" / "x")}}
    answer = api.ask("POST", "/cells", body)
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [("store", "store_unfit")]
    assert api.get("/cells/api-files").status_code == 404
