"""A wrong setting stops the start with its name and what was expected, and never shows a secret."""

import base64
from pathlib import Path

import pytest

from control_plane.identity import Role
from kit.settings import CellSettings, ControlPlaneSettings, SettingError
from kit.staff_oidc import ROLES


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


@pytest.fixture
def staff(env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    secret = tmp_path / "client-secret"
    secret.write_text("s3cret of the client\n")
    return {
        **env,
        "PARVIS_STAFF_OIDC_ISSUER": "https://id.provider.example/",
        "PARVIS_STAFF_OIDC_CLIENT_ID": "portal",
        "PARVIS_STAFF_OIDC_CLIENT_SECRET_FILE": str(secret),
    }


def test_the_staff_s_own_sign_in_is_read_whole_and_shows_no_secret(env: dict[str, str], staff: dict[str, str]) -> None:
    assert ControlPlaneSettings.from_env(env).staff_oidc is None
    more = {"PARVIS_STAFF_OIDC_ROLES": "ops=operator, cn=help,ou=x=support", "PARVIS_STAFF_OIDC_ONLY": "1"}
    with pytest.raises(SettingError):
        ControlPlaneSettings.from_env(staff | more)
    more["PARVIS_STAFF_OIDC_ROLES"] = "ops=operator, cn=help=support"
    settings = ControlPlaneSettings.from_env(staff | more)
    told = settings.staff_oidc
    assert told is not None
    # Its last slash is a part of an issuer.
    assert told.issuer == "https://id.provider.example/"
    assert told.client_secret == "s3cret of the client"
    assert told.roles == (("ops", "operator"), ("cn=help", "support"))
    assert told.only
    assert told.minutes == 60
    assert told.client_secret not in repr(settings)


def test_the_staff_s_roles_are_those_of_the_control_plane() -> None:
    assert set(ROLES) == set(Role)


@pytest.mark.parametrize("name", ["ISSUER", "CLIENT_ID", "CLIENT_SECRET_FILE"])
def test_half_a_setting_of_the_staff_s_own_sign_in_stops_the_start(staff: dict[str, str], name: str) -> None:
    del staff[f"PARVIS_STAFF_OIDC_{name}"]
    with pytest.raises(SettingError, match=f"PARVIS_STAFF_OIDC_{name} is not set"):
        ControlPlaneSettings.from_env(staff)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISSUER", "http://id.provider.example"),
        ("CLIENT_SECRET_FILE", "s3cret"),
        ("CLIENT_SECRET_FILE", "/nowhere/s3c"),
        ("ROLES", "ops=king"),
        ("ROLES", "operator"),
        ("ONLY", "perhaps"),
        ("MINUTES", "9"),
        ("MINUTES", "721"),
        ("MINUTES", "an hour"),
    ],
)
def test_a_wrong_setting_of_the_staff_s_own_sign_in_stops_the_start(
    staff: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(SettingError, match=f"PARVIS_STAFF_OIDC_{name} is") as raised:
        ControlPlaneSettings.from_env(staff | {f"PARVIS_STAFF_OIDC_{name}": value})
    assert "s3cret" not in str(raised.value)


def test_an_issuer_without_tls_is_taken_where_private_ones_are(staff: dict[str, str]) -> None:
    more = {"PARVIS_STAFF_OIDC_ISSUER": "http://127.0.0.1:4000", "PARVIS_ALLOW_PRIVATE_FETCH": "1"}
    assert ControlPlaneSettings.from_env(staff | more).staff_oidc is not None
