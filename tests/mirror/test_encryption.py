"""Files under an organisation's own key lie under it in the mirror too, or not at all; with the key both are gone."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import pytest
import requests
from obstore.store import S3Store
from sqlalchemy import Engine

from control_plane import storage
from control_plane.embedded.ports import free_port
from control_plane.storage import AccessKey, CephObjectStore
from kit.db import transaction, vault_of
from kit.vault import Vault
from tests.mirror.town import Org, Town, backup_user, open_town
from tests.world.cells import Cell, prepared_cell
from tests.world.ceph import key_asked, require, running_ceph
from tests.world.waiting import eventually

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

CELL_KEY = bytes(range(100, 132))
DISK = 2 * 1024**3
MIB = 1024 * 1024


@dataclass
class Keyed:
    """Two clusters that ask the cell's own process for keys, and the cell."""

    store: "RunningCeph"
    backup: "RunningCeph"
    cell: Cell
    port: int

    def gives(self, data_key: str) -> bool:
        """Whether the cell's process gives this key to gateways now: what it knows is up to a second old."""
        return key_asked(self.port, self.store.keys_token, data_key).status_code == 200


@contextmanager
def running_keys(cell: Cell, folder: Path, port: int, tokens: str) -> Iterator[None]:
    """The process that gives keys to gateways, for both clusters."""
    file, token_file = folder / "cell.json", folder / "tokens"
    database = {"name": cell.name, "url": cell.app_url}
    file.write_text(
        json.dumps({"cell": "test", "databases": [database], "store": {"key": base64.b64encode(CELL_KEY).decode()}})
    )
    token_file.write_text(tokens)
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")},
        "PARVIS_CELL_FILE": str(file),
        "PARVIS_SITE_URL": "http://parvis.localhost:1",
        "PARVIS_GATEWAY_TOKEN_FILE": str(token_file),
    }
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "keys.log").open("wb") as output:
        process = subprocess.Popen([*command, "tenant_app.keys:app"], env=env, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 90
        while not ready(port):
            assert time.monotonic() < deadline, (folder / "keys.log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def keyed(postgres: str, world_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    require()
    port = free_port()
    options: dict[str, Any] = {"keys_address": f"http://127.0.0.1:{port}", "size": DISK}
    with (
        running_ceph(world_folder / "mirror-keyed", **options) as store,
        running_ceph(world_folder / "mirror-keyed-backup", **options) as backup,
        prepared_cell(postgres) as cell,
        running_keys(cell, tmp_path_factory.mktemp("keys"), port, f"{store.keys_token}\n{backup.keys_token}"),
    ):
        yield Keyed(store, backup, cell, port)


@contextmanager
def keyed_town(engine: Engine, keyed: Keyed, **mirror: Any) -> Iterator[Town]:
    key = backup_user(keyed.backup.endpoint, AccessKey(keyed.backup.admin_key_id, keyed.backup.admin_secret))
    store = CephObjectStore.at(keyed.store.endpoint, AccessKey(keyed.store.admin_key_id, keyed.store.admin_secret))
    yield open_town(engine, store, keyed.store.cluster.store_settings(), keyed.backup.endpoint, key, **mirror)
    store.close()


def publish(town: Town, keyed: Keyed, org: Org) -> str:
    """The organisation's tenant record, with its data keys as they are; the name of the one for new files."""
    with transaction(town.engine) as session:
        ring = storage.keyring(session, vault_of(session), org.id, tenant=True)
    keyed.cell.tenant(organisation_id=org.id, store=storage.record_of_store(Vault(CELL_KEY), org.id, ring))
    data_key = ring.data_key
    assert data_key is not None
    eventually(lambda: keyed.gives(data_key))
    return data_key


def encrypting(town: Town, org: Org, data_key: str) -> S3Store:
    return S3Store(
        org.name,
        endpoint=town.endpoint,
        region="default",
        access_key_id=org.key.key_id,
        secret_access_key=org.key.secret,
        client_options={"allow_http": True},
        server_side_encryption="aws:kms",
        sse_kms_key_id=data_key,
    )


def on_disk(cluster: "RunningCeph", what: bytes) -> bool:
    """Whether these bytes stand in clear on a cluster's disk."""
    subprocess.run(["sync"], check=True)
    command = ["grep", "-c", "-a", "-F", what.decode(), cluster.cluster.folder / "osd" / "block"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_files_under_an_own_key_are_mirrored_under_it_restored_under_it_and_gone_with_it(
    engine: Engine, keyed: Keyed
) -> None:
    secret = b"the secret of a parliament " + base64.b64encode(os.urandom(30))
    with keyed_town(engine, keyed, tenant_keys=True) as town:
        org = town.organisation(tenant=True)
        data_key = publish(town, keyed, org)
        keys = org.put(secret, b"", secret * 9 + os.urandom(9 * MIB), into=encrypting(town, org, data_key))
        assert town.settle(org).objects == 3
        assert org.same()
        assert (town.verify(org).mismatches, town.verify(org, deep=True).mismatches) == (0, 0)
        # The control: the file of one without such a key stands in clear on the mirror's disk.
        plain = town.organisation()
        canary = b"the canary of a parliament " + base64.b64encode(os.urandom(30))
        plain.put(canary)
        town.settle(plain)
        eventually(lambda: on_disk(keyed.backup, canary), pause=0.5)
        assert not on_disk(keyed.backup, secret)
        org.delete(keys)
        assert town.restore(org).restored == 3
        assert bytes(obstore.get(org.store, keys[0]).bytes()) == secret
        deadline = time.monotonic() + 3  # no longer: nothing is waited for
        while time.monotonic() < deadline:
            assert not on_disk(keyed.store, secret)
        # Both copies end with the key.
        keyed.cell.database.unpublish(org.id, 9)
        eventually(lambda: not keyed.gives(data_key))
        for side in (org.store, org.mirror):
            with pytest.raises(FileNotFoundError, match="NoSuchKey"):
                obstore.get(side, keys[0])


def test_an_altered_object_under_an_own_key_is_found_by_reading(engine: Engine, keyed: Keyed) -> None:
    with keyed_town(engine, keyed, tenant_keys=True) as town:
        org = town.organisation(tenant=True)
        data_key = publish(town, keyed, org)
        good, bad = org.put(b"good", b"evil", into=encrypting(town, org, data_key))
        town.settle(org)
        obstore.put(org.mirror, bad, b"EVIL")
        run = town.verify(org, deep=True)
        assert [(one["key"], one["what"]) for one in run.findings] == [(bad, "content")]
        assert org.alike(good)


def test_a_mirror_without_such_keys_gets_nothing_in_clear(engine: Engine, keyed: Keyed) -> None:
    with keyed_town(engine, keyed) as town:
        org, other = town.organisation(tenant=True), town.organisation()
        data_key = publish(town, keyed, org)
        org.put(b"secret", into=encrypting(town, org, data_key))
        other.put(b"not so secret")
        found = town.once(org)
        assert (found.state, found.well, found.lag_seconds) == ("needs_keys", False, None)
        assert b"NoSuchBucket" in requests.get(f"{town.backup_endpoint}/{org.name}", timeout=60).content
        assert town.settle(other).objects == 1
