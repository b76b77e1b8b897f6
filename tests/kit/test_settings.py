"""A wrong setting stops the start with its name and what was expected, and never shows a secret."""

import base64
from pathlib import Path

import pytest

from kit.settings import CellSettings, ControlPlaneSettings, SettingError


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    key, cell = tmp_path / "key", tmp_path / "cell.json"
    key.write_text(base64.b64encode(bytes(32)).decode() + "\n")
    cell.write_text("{}")
    return {
        "PARVIS_DATABASE_URL": "postgresql://parvis:s3cret@127.0.0.1:5432/parvis",
        "PARVIS_BROKER_URL": "redis://:s3cret@127.0.0.1:6379/0",
        "PARVIS_MASTER_KEY_FILE": str(key),
        "PARVIS_CELL_FILE": str(cell),
    }


def test_what_is_needed_is_enough(env: dict[str, str]) -> None:
    settings = ControlPlaneSettings.from_env(env)
    assert settings.workspace_url("acme") == "http://acme.parvis.localhost:8080"
    assert settings.trusted_edges == frozenset()
    assert settings.vault().master == bytes(32)
    assert CellSettings.from_env(env).cell_file == Path(env["PARVIS_CELL_FILE"])


def test_a_workspace_has_scheme_and_port_of_the_site(env: dict[str, str]) -> None:
    more = {"PARVIS_SITE_URL": "https://parvis.example/", "PARVIS_WORKSPACE_SUFFIX": ".parvis.example"}
    settings = CellSettings.from_env({**env, **more})
    assert settings.site_url == "https://parvis.example"
    assert settings.workspace_url("acme") == "https://acme.parvis.example"


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "MASTER_KEY_FILE"])
def test_a_missing_setting_names_itself_and_what_was_expected(env: dict[str, str], name: str) -> None:
    del env[f"PARVIS_{name}"]
    with pytest.raises(SettingError, match=rf"The setting PARVIS_{name} is not set; expected .+"):
        ControlPlaneSettings.from_env(env)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:s3cret@h/x"),
        ("DATABASE_URL", "s3cret"),
        ("DATABASE_URL", "postgresql://u:s3cret@h:99999999/x"),
        ("DATABASE_URL", "postgresql://u:s3cret@[h/x"),
        ("BROKER_URL", "http://:s3cret@h"),
        ("SMTP_URL", "mail://me:s3cret@h"),
        ("MASTER_KEY_FILE", "/nowhere"),
        ("SITE_URL", "parvis.example"),
        ("SITE_URL", "https://parvis.example/path"),
        ("PORTAL_URL", "https://me:s3cret@parvis.example"),
        ("WORKSPACE_SUFFIX", "parvis.example"),
        ("WORKSPACE_SUFFIX", ".Parvis.example"),
        ("TRUSTED_EDGES", "edge.example"),
        ("LOG_LEVEL", "LOUD"),
        ("MAIL_FROM", "nobody"),
    ],
)
def test_a_wrong_setting_names_itself_and_shows_no_secret(env: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(SettingError) as raised:
        ControlPlaneSettings.from_env({**env, f"PARVIS_{name}": value})
    assert raised.value.name == f"PARVIS_{name}"
    assert f"PARVIS_{name}" in str(raised.value)
    assert "expected" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_master_key_of_another_length_is_refused(env: dict[str, str]) -> None:
    Path(env["PARVIS_MASTER_KEY_FILE"]).write_text(base64.b64encode(bytes(16)).decode())
    with pytest.raises(SettingError, match="32 random bytes in base64"):
        ControlPlaneSettings.from_env(env)


def test_a_cell_file_that_cannot_be_read_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=r"PARVIS_CELL_FILE is '/nowhere/cell\.json'"):
        CellSettings.from_env({**env, "PARVIS_CELL_FILE": "/nowhere/cell.json"})
