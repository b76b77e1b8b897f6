"""Opening a cell's store: a wrong setting is refused by its name, before anything is asked of the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from control_plane.storage import CephObjectStore, FileObjectStore, open_store
from control_plane.storage.inspecting import encrypted
from kit.errors import Refusal, Unavailable
from kit.vault import Vault

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

CELL = "fr-par-1"


def settings(vault: Vault, **others: Any) -> dict[str, Any]:
    return {
        "kind": "ceph",
        "endpoint": "https://gateway.example:8443",
        "public_endpoint": "https://files.example",
        "region": "default",
        "admin_key_id": "ADMIN",
        "admin_secret_sealed": vault.seal("a-secret", f"store-admin:{CELL}"),
    } | others


def test_both_kinds_are_opened_without_a_word_to_them(vault: Vault, tmp_path: Path) -> None:
    ceph = open_store(settings(vault), vault, CELL)
    assert isinstance(ceph, CephObjectStore)
    assert ceph.gateway.endpoint == "https://gateway.example:8443"
    assert "a-secret" not in repr(ceph)
    assert isinstance(open_store({"kind": "files", "root": str(tmp_path)}, vault, CELL), FileObjectStore)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("kind", "tape"),
        ("kind", None),
        ("endpoint", ""),
        ("endpoint", "gateway.example"),
        ("endpoint", "ftp://gateway.example"),
        ("endpoint", "https://gateway.example/path"),
        ("endpoint", "https://user:word@gateway.example"),
        ("endpoint", "https://gateway.example:port"),
        ("endpoint", 7),
        ("public_endpoint", "files.example"),
        ("admin_key_id", None),
        ("admin_secret_sealed", ""),
        ("ca_file", "/nowhere/ca.pem"),
    ],
)
def test_a_wrong_setting_is_named(vault: Vault, setting: str, value: object) -> None:
    with pytest.raises(Refusal) as refused:
        open_store(settings(vault, **{setting: value}), vault, CELL)
    assert refused.value.field == f"store.{setting}"
    assert str(refused.value)


def test_files_need_a_folder(vault: Vault) -> None:
    with pytest.raises(Refusal) as refused:
        open_store({"kind": "files"}, vault, CELL)
    assert refused.value.field == "store.root"


def test_another_cells_secret_does_not_open(vault: Vault) -> None:
    with pytest.raises(Unavailable, match="vault_refused"):
        open_store(settings(vault), vault, "another-cell")


@pytest.mark.parametrize(
    ("endpoint", "warning"),
    [
        ("https://gateway.example", False),
        ("http://gateway.example", True),
        ("http://10.0.0.7:7480", True),
        ("http://127.0.0.1:7480", False),
        ("http://localhost:7480", False),
        ("http://[::1]:7480", False),
    ],
)
def test_a_way_in_the_clear_is_allowed_with_a_warning(endpoint: str, warning: bool) -> None:
    assert encrypted(endpoint).ok
    assert encrypted(endpoint).warning is warning


def test_the_cells_settings_open_a_real_ceph(ceph: "RunningCeph", vault: Vault) -> None:
    store = open_store(ceph.store_settings(vault, CELL), vault, CELL)
    assert [check.name for check in store.check() if not check.ok] == []


def test_a_gateway_with_tls_is_trusted_by_its_own_authority_only(ceph_tls: "RunningCeph", vault: Vault) -> None:
    given = ceph_tls.store_settings(vault, CELL)
    store = open_store(given, vault, CELL)
    assert [check.name for check in store.check() if not check.ok] == []
    blind = open_store({**given, "ca_file": None}, vault, CELL)
    refused = [check for check in blind.check() if not check.ok]
    assert len(refused) == 1
    assert "CERTIFICATE_VERIFY_FAILED" in refused[0].detail
