"""Where an installation keeps files: chosen once, started with the rest, reached by browsers, back after kill -9."""

import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from control_plane import placement
from control_plane.audit import SYSTEM
from control_plane.embedded import ceph_programs, firstrun, ports, processes, stores
from control_plane.embedded.ceph import Ceph
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.house import House
from kit.s3.signing import Signer
from kit.vault import Vault
from tests.world import ceph as clusters
from tests.world.ceph import key_asked
from tests.world.chromium import Browser
from tests.world.product import Product, launch, running_product

DRAWN = {"kind": "ceph", "endpoint": "http://127.0.0.1:1", "admin_key_id": "K", "admin_secret": "secret"}
CEPH_PARTS = ["ceph-monitor", "ceph-disk", "ceph-gateway", "keys"]


def told(product: Product) -> dict[str, Any]:
    """How the tenant app reaches its store."""
    store: dict[str, Any] = json.loads((product.var / "cell.json").read_text())["store"]
    return store


def answers_s3(product: Product, address: str) -> bool:
    with product.client(base_url=address) as client:
        try:
            return client.get("/").headers["content-type"].startswith("application/xml")
        except httpx.TransportError:
            return False


def wait_until(ready: Any, seconds: float = 90) -> None:
    assert processes.wait_for(ready, seconds), f"not within {seconds} s"


def test_browsers_reach_the_files_through_the_public_port(product: Product) -> None:
    assert told(product)["public_endpoint"] == f"http://parvis-files.localhost:{product.port}"
    assert answers_s3(product, told(product)["public_endpoint"])
    assert answers_s3(product, told(product)["endpoint"])


def test_the_cells_file_tells_nothing_that_administers_the_store(product: Product) -> None:
    assert set(told(product)) == {"region", "endpoint", "public_endpoint", "key"}


def test_an_upload_that_asks_whether_to_continue_is_answered_through_the_public_port(product: Product) -> None:
    with socket.create_connection(("127.0.0.1", product.port), timeout=60) as client:
        head = f"PUT /none/one HTTP/1.1\r\nHost: parvis-files.localhost:{product.port}\r\nContent-Length: 3\r\n"
        client.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        # Nothing of the body was sent: it says either to go on or, as here, that it wants none of it.
        assert client.recv(1000).split(b"\r\n")[0] in {b"HTTP/1.1 100 Continue", b"HTTP/1.1 403 Forbidden"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path, 8080)
    made.var.mkdir()
    return made


def test_the_ports_that_an_older_version_did_not_draw_are_added_and_the_rest_stays(house: House) -> None:
    (house.var / "secrets.json").write_text('{"postgres_port": 15001, "postgres_password": "kept"}')
    drawn = house.secrets()
    assert (drawn["postgres_port"], drawn["postgres_password"], drawn["store"]) == (15001, "kept", "files")
    assert drawn["store_port"] in ports.LASTING
    assert house.secrets() == drawn


def test_an_installation_with_files_refuses_ceph_in_plain_words(house: House) -> None:
    stores.settle(house, wants_ceph=False)
    with pytest.raises(EmbeddedError, match=r"keeps its files in .*/var/store.* without CEPH=1"):
        stores.settle(house, wants_ceph=True)
    stores.settle(house, wants_ceph=False)


def test_without_ceph_nothing_is_decided_and_the_cure_is_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceph_programs, "PATH", "/nowhere")
    with pytest.raises(EmbeddedError, match="apt-get install"):
        stores.settle(house, wants_ceph=True)
    assert house.store_kind is None
    stores.settle(house, wants_ceph=False)
    assert house.store_kind == "files"


def test_a_wrong_switch_is_named_with_what_was_expected(tmp_path: Path) -> None:
    late = launch(tmp_path / "late", 1, PARVIS_CEPH="maybe")
    assert late.process.wait(timeout=60) == 1
    assert "The setting PARVIS_CEPH is 'maybe'; expected 1 for a new installation with Ceph" in late.output


def test_a_store_keeps_what_an_operator_added_and_gets_the_addresses_of_this_start(
    session: Session, vault: Vault
) -> None:
    placement.add_cell(session, firstrun.CELL, "local", [], DRAWN, SYSTEM)
    mirror = {"endpoint": "https://mirror.example", "key_id": "M", "secret": "other"}
    placement.set_store(session, firstrun.CELL, {**DRAWN, "mirror": mirror}, SYSTEM)
    before = placement.cell(session, firstrun.CELL).store
    firstrun.renew_store(session, {**DRAWN, "endpoint": "http://127.0.0.1:2"})
    after = placement.cell(session, firstrun.CELL).store
    assert after == {**before, "endpoint": "http://127.0.0.1:2"}
    assert vault.open(after["admin_secret_sealed"], placement.admin_purpose(firstrun.CELL)) == "secret"


def test_a_store_keeps_the_administrator_s_key_that_it_was_given_while_it_served(
    session: Session, vault: Vault
) -> None:
    placement.add_cell(session, firstrun.CELL, "local", [], DRAWN, SYSTEM)
    later = {"admin_key_id": "L", "admin_secret": "later", "admin_key_since": "2026-11-26T17:00:00+00:00"}
    placement.set_store(session, firstrun.CELL, {**DRAWN, **later}, SYSTEM)
    before = placement.cell(session, firstrun.CELL).store
    firstrun.renew_store(session, {**DRAWN, "endpoint": "http://127.0.0.1:2"})
    assert placement.cell(session, firstrun.CELL).store == {**before, "endpoint": "http://127.0.0.1:2"}
    assert vault.open(before["admin_secret_sealed"], placement.admin_purpose(firstrun.CELL)) == "later"


def test_a_store_whose_ceph_was_made_anew_has_its_new_key(session: Session, vault: Vault) -> None:
    """The control: a key that nobody gave it is that of the Ceph as it was made."""
    placement.add_cell(session, firstrun.CELL, "local", [], DRAWN, SYSTEM)
    firstrun.renew_store(session, {**DRAWN, "admin_key_id": "ANEW", "admin_secret": "anew"})
    after = placement.cell(session, firstrun.CELL).store
    assert after["admin_key_id"] == "ANEW"
    assert vault.open(after["admin_secret_sealed"], placement.admin_purpose(firstrun.CELL)) == "anew"


@pytest.fixture(scope="module")
def own(world_folder: Path) -> Iterator[Product]:
    """A product with a Ceph, to be treated badly, below a folder that only its owner may enter."""
    clusters.require()
    closed = world_folder / "closed-with-ceph"
    closed.mkdir(mode=0o700)
    with running_product(closed / "product", PARVIS_CEPH="1") as running:
        yield running


def order(product: Product, address: str) -> str:
    admin = {"email": f"maire@{address}.example", "name": "A. Martin"}
    body = {"name": f"Ville de {address}", "address": address, "offer": "team", "admin": admin}
    with product.api() as api:
        answer = api.post("/organisations", json=body, headers={"Idempotency-Key": f"key-{address}"})
        assert answer.status_code == 202, answer.text
        organisation = str(answer.json()["organisation"]["id"])
        wait_until(lambda: api.get(f"/organisations/{organisation}").json().get("state") == "live")
    return organisation


def call(product: Product, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
    """A call to the Ceph itself, with its administrator's key."""
    cluster = Ceph(product.var / "ceph", product.var / "log")
    signer = Signer(cluster.endpoints[0], cluster.drawn["key_id"], cluster.drawn["secret"])
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url, signed = signer.call(method, path, headers=named, payload=hashlib.sha256(body).hexdigest())
    return httpx.request(method, url, headers=signed, content=body, trust_env=False, timeout=60)


def buckets(product: Product) -> list[str]:
    """What the Ceph itself says it holds."""
    found: list[str] = call(product, "GET", "/admin/bucket").json()
    return found


def test_an_organisation_gets_its_bucket_in_the_ceph(own: Product) -> None:
    organisation = order(own, "erste").replace("-", "")
    assert f"org-{organisation}" in buckets(own)


def gives(product: Product, data_key: str) -> bool:
    """Whether the process that gives keys to gateways has heard of this one."""
    port = json.loads((product.var / "secrets.json").read_text())["keys_port"]
    token = Ceph(product.var / "ceph", product.var / "log").token_file.read_text()
    return key_asked(port, token, data_key).status_code == 200


def test_the_gateway_asks_the_cell_for_an_organisations_own_key_and_gets_no_other(own: Product) -> None:
    with own.api() as api:
        seen = api.get("/offers/team")
        offer = seen.json()["offer"]
        terms = {name: offer[name] for name in ("names", "terms", "requirements")}
        terms["entitlements"] = offer["entitlements"] | {"encryption": "tenant"}
        answer = api.put("/offers/team", json=terms, headers={"If-Match": seen.headers["etag"]})
        assert answer.status_code == 200, answer.text
    organisation = order(own, "eigene").replace("-", "")
    wait_until(lambda: gives(own, f"pv-{organisation}-1"))
    assert call(own, "PUT", "/probe").status_code == 200
    wish = {"x_amz_server_side_encryption": "aws:kms"}
    for version, status in ((1, 200), (2, 404)):
        key = f"pv-{organisation}-{version}"
        path = f"/probe/{version}"
        stored = call(own, "PUT", path, b"sealed", x_amz_server_side_encryption_aws_kms_key_id=key, **wish)
        assert stored.status_code == status, stored.text
    assert call(own, "GET", "/probe/1").content == b"sealed"


def test_nobody_reads_the_administrators_secret_in_a_log_or_on_a_command_line(own: Product) -> None:
    secret = Ceph(own.var / "ceph", own.var / "log").drawn["secret"]
    shown = "".join(path.read_text(errors="replace") for path in (own.var / "log").glob("*.log"))
    for pid in own.everything():
        # Some end meanwhile.
        with suppress(OSError):
            shown += Path(f"/proc/{pid}/cmdline").read_text()
    assert len(secret) >= 20
    assert secret not in shown
    assert secret not in (own.var / "cell.json").read_text()


def test_browsers_reach_the_gateway_by_its_name(own: Product, browser: Browser) -> None:
    answer = browser.page().goto(told(own)["public_endpoint"])
    assert answer is not None
    assert answer.headers["content-type"] == "application/xml"
    assert "parvis-files.localhost" in answer.url


@pytest.mark.parametrize("part", CEPH_PARTS)
def test_a_part_of_the_ceph_that_is_killed_is_back(own: Product, part: str) -> None:
    pid = own.pids()[part]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: own.pids().get(part) not in {None, pid})
    order(own, f"nach-{part}")
    assert answers_s3(own, told(own)["endpoint"])


@pytest.mark.timeout(300)
def test_what_was_made_with_ceph_starts_it_again_unasked_and_stops_in_order(own: Product) -> None:
    before, everything, endpoint = buckets(own), own.everything(), told(own)["endpoint"]
    started = time.monotonic()
    assert own.stop() == 0
    print(f"Ctrl C with Ceph took {time.monotonic() - started:.1f} s")
    assert [pid for pid in everything if processes.started_at(pid)] == []
    assert "is killed" not in (own.var / "log" / "supervisor.log").read_text()
    again = launch(own.folder, own.port)
    own.process = again.process
    own.wait_until_ready()
    assert told(own)["endpoint"] == endpoint
    assert buckets(own) == before
    order(own, "letzte")


def test_killing_everything_loses_nothing_and_the_next_start_continues(own: Product) -> None:
    before = buckets(own)
    for pid in [own.process.pid, *own.everything()]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    own.process.wait(timeout=60)
    own.process = launch(own.folder, own.port).process
    own.wait_until_ready()
    assert buckets(own) == before


def test_ctrl_c_during_the_first_start_ends_everything_at_once(world_folder: Path) -> None:
    clusters.require()
    early = launch(world_folder / "early", ports.free_port(), PARVIS_CEPH="1")
    wait_until(lambda: (early.var / "run" / "children.json").exists() and "ceph-monitor" in early.pids())
    assert early.stop() == 0
    assert early.everything_marked() == []
