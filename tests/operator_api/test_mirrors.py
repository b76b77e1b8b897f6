"""Backup mirrors by the API: taking one on, asking for copies, verifications and restorations. No worker runs here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from control_plane import placement
from kit.db import transaction
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from tests.operator_api.conftest import Api, api_of
from tests.world.house import House, open_house

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

SECRET = "s" * 40
PATH = "/cells/local/mirror"


@pytest.fixture
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    with open_house(postgres, _template, vault) as opened:
        yield opened


@pytest.fixture
def api(house: House, settings: ControlPlaneSettings) -> Iterator[Api]:
    with api_of(house, settings) as opened:
        yield opened


def target(ceph: "RunningCeph", **changes: Any) -> dict[str, Any]:
    """A second store that is there, by a key that works."""
    return {"endpoint": ceph.endpoint, "key_id": ceph.admin_key_id, "secret": ceph.admin_secret, **changes}


def kept(house: House) -> dict[str, Any]:
    """The settings of the cell's store as they lie there."""
    with transaction(house.engine) as session:
        return placement.cell(session, "local").store


def test_a_mirror_is_taken_on_with_a_key_that_works_and_its_secret_never_told(
    api: Api, house: House, ceph: "RunningCeph", vault: Vault
) -> None:
    refused = api.ask("PUT", PATH, target(ceph, secret=SECRET))
    assert [(one["field"], one["code"]) for one in refused.json()["errors"]] == [("key_id", "mirror_key_refused")]
    assert SECRET not in refused.text
    assert "mirror" not in kept(house)
    made = api.ask("PUT", PATH, target(ceph, retention_days=7))
    assert made.status_code == 200, made.text
    assert made.json()["store"]["mirror"] == {
        "endpoint": ceph.endpoint,
        "key_id": ceph.admin_key_id,
        "region": "default",
        "ca_file": None,
        "retention_days": 7,
        "tenant_keys": False,
    }
    sealed = kept(house)["mirror"]["secret_sealed"]
    assert vault.open(sealed, placement.mirror_purpose("local")) == ceph.admin_secret
    told = [made.text, api.get("/cells").text, api.get("/storage").text, api.get("/audit?verb=cell.").text]
    assert not any(ceph.admin_secret in one or sealed in one for one in told)


def test_a_known_secret_stays_when_it_is_left_out_and_another_key_wants_its_own(
    api: Api, house: House, ceph: "RunningCeph"
) -> None:
    api.ask("PUT", PATH, target(ceph))
    before = kept(house)["mirror"]["secret_sealed"]
    without = {name: value for name, value in target(ceph).items() if name != "secret"}
    assert api.ask("PUT", PATH, {**without, "retention_days": 90}).status_code == 200
    assert (kept(house)["mirror"]["retention_days"], kept(house)["mirror"]["secret_sealed"]) == (90, before)
    other = api.ask("PUT", PATH, {**without, "key_id": "ANOTHER"})
    assert [(one["field"], one["code"]) for one in other.json()["errors"]] == [("secret", "mirror_secret_missing")]
    ended = api.ask("DELETE", PATH)
    assert (ended.status_code, ended.json()["store"]["mirror"]) == (200, None)


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"endpoint": "http://127.0.0.1:9"}, "endpoint", "store_unreachable"),
        ({"endpoint": "http://127.0.0.1:9/bucket"}, "endpoint", "store_address_wrong"),
        ({"endpoint": "backup"}, "endpoint", "wrong_form"),
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file", "store_ca_missing"),
        ({"retention_days": 0}, "retention_days", "too_small"),
        ({"colour": "blue"}, "colour", "unknown_field"),
    ],
)
def test_a_wrong_mirror_is_refused_by_field_and_nothing_is_stored(
    api: Api, house: House, change: dict[str, Any], field: str, code: str
) -> None:
    body = {"endpoint": "http://127.0.0.1:9", "key_id": "MIRROR", "secret": SECRET, **change}
    answer = api.ask("PUT", PATH, body)
    assert answer.status_code == 422
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]
    assert "mirror" not in kept(house)


def test_without_a_mirror_nothing_can_be_asked_of_it(api: Api, house: House) -> None:
    house.live(address="api-unmirrored")
    path = "/organisations/api-unmirrored/storage"
    for noun, body in (("mirroring", None), ("mirror-verification", {}), ("restoration", {})):
        answer = api.ask("POST", f"{path}/{noun}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "mirror_off"), noun
    assert api.get(path).json()["mirror"] is None
    assert api.get("/storage").json()["items"][0]["mirror"] is None


def test_copies_verifications_and_restorations_are_asked_for_and_followed(
    api: Api, house: House, ceph: "RunningCeph"
) -> None:
    api.ask("PUT", PATH, target(ceph))
    made, other = house.live(address="api-mirrored"), house.live(address="api-other")
    path = "/organisations/api-mirrored/storage"
    now = api.ask("POST", f"{path}/mirroring", idempotency_key="now-1")
    assert (now.status_code, now.json()["state"], now.json()["lag_seconds"]) == (202, "new", None)
    asked = api.ask("POST", f"{path}/mirror-verification", {"deep": True}, idempotency_key="verify-1")
    again = api.ask("POST", f"{path}/mirror-verification", {"deep": True}, idempotency_key="verify-1")
    assert (asked.status_code, asked.json()["kind"], asked.json()["state"]) == (202, "verify", "pending")
    assert again.json()["id"] == asked.json()["id"]
    where = asked.headers["location"].removeprefix("/api/v1")
    assert where == f"/organisations/{made}/storage/mirror-runs/{asked.json()['id']}"
    assert api.get(where).json()["asked"] == {"deep": True}
    assert api.get(where.replace(str(made), str(other))).status_code == 404
    busy = api.ask("POST", f"{path}/restoration", {})
    assert (busy.status_code, busy.json()["code"]) == (409, "mirror_busy")
    assert [one["id"] for one in api.get(f"{path}/mirror-runs").json()["items"]] == [asked.json()["id"]]
    assert api.get(path).json()["mirror"]["run"]["id"] == asked.json()["id"]
    back = api.ask("POST", "/organisations/api-other/storage/restoration", {"as_of": "2027-03-01T00:00:00+01:00"})
    assert (back.status_code, back.json()["asked"]) == (202, {"as_of": "2027-02-28T23:00:00+00:00"})


def test_the_cells_mirrors_are_told_in_figures(api: Api, house: House, ceph: "RunningCeph") -> None:
    api.ask("PUT", PATH, target(ceph))
    api.ask("POST", f"/organisations/{house.live(address='api-counted')}/storage/mirroring")
    told = api.get("/storage").json()["items"][0]["mirror"]
    assert (told["well"], told["organisations"], told["states"], told["never"]) == (True, 1, {"new": 1}, 1)
    (listed,) = api.get("/storage/mirrors?cell=local").json()["items"]
    assert (listed["cell"], listed["state"], listed["well"]) == ("local", "new", True)
    assert api.get("/storage/mirrors?cell=elsewhere").status_code == 404
    assert {one["name"]: one["ok"] for one in told["checks"]}["the key of the mirror works"] is True


def test_what_is_to_be_restored_is_checked_by_field(api: Api, house: House) -> None:
    house.live(address="api-chosen")
    for body, field in (({"keys": []}, "keys"), ({"keys": ["a"]}, "keys"), ({"as_of": "2027-03-01"}, "as_of")):
        answer = api.ask("POST", "/organisations/api-chosen/storage/restoration", body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith(field)
