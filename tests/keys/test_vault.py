"""A vault with several keys: the first seals, all open, and each sealed text says which key it hangs on."""

import base64
import hashlib
import hmac
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.errors import Unavailable
from kit.settings import ControlPlaneSettings, SettingError
from kit.vault import Vault, key_id, key_id_of
from kit.web import Csrf

OLD, NEW = b"o" * 32, b"n" * 32


def text_of(*keys: bytes) -> str:
    return "\n".join(base64.b64encode(key).decode() for key in keys) + "\n"


def sealed_as_before(key: bytes, secret: str, purpose: str) -> str:
    """As the release before this one sealed: without the id of the key."""
    nonce = os.urandom(12)
    derived = hmac.new(key, b"seal", hashlib.sha256).digest()
    return base64.b64encode(nonce + AESGCM(derived).encrypt(nonce, secret.encode(), purpose.encode())).decode()


def test_the_first_key_seals_and_all_open() -> None:
    before, after = Vault(OLD), Vault(NEW, (OLD,))
    old, new = before.seal("s3cret", "p"), after.seal("s3cret", "p")
    assert (after.open(old, "p"), after.open(new, "p")) == ("s3cret", "s3cret")
    assert (key_id_of(old), key_id_of(new)) == (before.key_id, after.key_id)
    assert before.key_id != after.key_id


def test_without_the_key_that_sealed_it_a_text_stays_closed() -> None:
    sealed = Vault(OLD).seal("s3cret", "p")
    with pytest.raises(Unavailable, match="vault_refused"):
        Vault(NEW).open(sealed, "p")


@pytest.mark.parametrize("keys", [(OLD,), (NEW, OLD), (NEW, b"x" * 32, OLD)])
def test_what_was_sealed_before_keys_had_names_still_opens(keys: tuple[bytes, ...]) -> None:
    sealed = sealed_as_before(OLD, "s3cret", "p")
    assert key_id_of(sealed) is None
    assert Vault(keys[0], keys[1:]).open(sealed, "p") == "s3cret"


@pytest.mark.parametrize("seal", ["seal", "seal_alike"])
def test_a_purpose_binds_a_secret_to_its_place(seal: str) -> None:
    sealed = getattr(Vault(OLD), seal)("s3cret", "here")
    with pytest.raises(Unavailable):
        Vault(OLD).open(sealed, "there")


@pytest.mark.parametrize(
    "change", [lambda t: t[:-4] + "AAA=", lambda t: "00000000" + t[8:], lambda t: t[9:12], lambda _: ""]
)
def test_an_altered_text_stays_closed(change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Unavailable):
        Vault(OLD).open(change(Vault(OLD).seal("s3cret", "p")), "p")


def test_sealed_alike_the_same_gives_the_same_and_sealed_it_does_not() -> None:
    vault = Vault(NEW, (OLD,))
    assert vault.seal_alike("s", "p") == vault.seal_alike("s", "p") != vault.seal_alike("t", "p")
    assert vault.seal("s", "p") != vault.seal("s", "p")


def test_the_name_of_a_key_tells_nothing_of_it() -> None:
    assert len(key_id(OLD)) == 8
    assert key_id(OLD) not in {OLD.hex()[:8], hashlib.sha256(OLD).hexdigest()[:8]}
    assert "o" * 8 not in repr(Vault(OLD, (NEW,)))


def test_a_form_from_before_the_rotation_is_still_accepted_and_one_of_a_stranger_is_not() -> None:
    def guard(vault: Vault) -> Csrf:
        key, *older = vault.derivations("site-csrf")
        return Csrf(key, lambda _request: "session", tuple(older))

    page = guard(Vault(OLD)).token(None)  # type: ignore[arg-type]
    assert guard(Vault(NEW, (OLD,))).matches(page, "session")
    assert not guard(Vault(NEW)).matches(page, "session")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "master.key"
    path.write_text("# since the audit of May\n" + text_of(NEW) + "\n" + text_of(OLD))
    return {
        "PARVIS_DATABASE_URL": "postgresql://parvis@127.0.0.1:5432/parvis",
        "PARVIS_BROKER_URL": "redis://127.0.0.1:6379/0",
        "PARVIS_MASTER_KEY_FILE": str(path),
    }


def test_a_file_holds_one_key_a_line_and_may_say_why(env: dict[str, str]) -> None:
    assert ControlPlaneSettings.from_env(env).vault().keys == (NEW, OLD)


def test_keys_may_stand_in_the_environment_instead(env: dict[str, str]) -> None:
    del env["PARVIS_MASTER_KEY_FILE"]
    env["PARVIS_MASTER_KEY"] = text_of(NEW, OLD).strip().replace("\n", ", ")
    settings = ControlPlaneSettings.from_env(env)
    assert settings.vault().keys == (NEW, OLD)
    assert base64.b64encode(NEW).decode() not in repr(settings)


@pytest.mark.parametrize("value", ["s3cret", text_of(b"short").strip(), text_of(NEW).strip() + ",x", "#", ","])
def test_a_wrong_key_in_the_environment_is_refused_and_never_shown(env: dict[str, str], value: str) -> None:
    del env["PARVIS_MASTER_KEY_FILE"]
    with pytest.raises(SettingError, match="PARVIS_MASTER_KEY is '…'; expected 32 random bytes") as raised:
        ControlPlaneSettings.from_env({**env, "PARVIS_MASTER_KEY": value})
    assert len(value) == 1 or value not in str(raised.value)


def test_a_file_and_the_environment_at_once_are_refused(env: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="give one of them"):
        ControlPlaneSettings.from_env({**env, "PARVIS_MASTER_KEY": text_of(NEW).strip()})


@pytest.mark.parametrize("days", ["-1", "soon", "99999"])
def test_the_age_of_store_keys_is_a_number_of_days(env: dict[str, str], days: str) -> None:
    assert ControlPlaneSettings.from_env(env).store_key_days == 90
    with pytest.raises(SettingError, match="PARVIS_STORE_KEY_DAYS"):
        ControlPlaneSettings.from_env({**env, "PARVIS_STORE_KEY_DAYS": days})
