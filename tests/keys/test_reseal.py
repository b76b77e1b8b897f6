"""The master key rotates: everything that it sealed follows, and what lasted through it goes on."""

import ast
import base64
import dataclasses
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from control_plane import audit, catalogue, identity, placement, sealing, storage
from control_plane.audit import SYSTEM
from control_plane.identity import Staff, StaffSession
from control_plane.identity.organisation_models import Connection, ConnectionKey, SignInRules
from control_plane.operator_api.idempotency import Once
from control_plane.placement.models import CellDatabase
from control_plane.sealing import SEALED
from kit.credentials import token_hash
from kit.db import open_engine, transaction
from kit.errors import Unavailable
from kit.ids import new_id
from kit.vault import Vault
from migrations.control_plane.models import metadata

ROOT = Path(__file__).parents[2]
OLD, NEW = Vault(bytes(range(32))), Vault(b"n" * 32)
BOTH = Vault(NEW.master, (OLD.master,))
URL = "postgresql://somebody@127.0.0.1:1/nowhere"
TOTP = "JBSWY3DPEHPK3PXP"


def opened(engine: Engine, vault: Vault) -> Engine:
    """The same database with other master keys, as after a restart."""
    return open_engine(engine.url.render_as_string(hide_password=False), vault=vault)


def furnish(engine: Engine, vault: Vault) -> UUID:
    """One of everything that is sealed; answers an organisation."""
    organisation = new_id()
    with transaction(engine) as session:
        catalogue.seed(session)
        ines = identity.create_staff(
            session, vault, "ines@parvis.example", "Inès", "support", "tondeuse nuage bleu 41", totp_secret=TOTP
        )
        vouched_for(session, vault, ines)
        store = {
            "kind": "ceph",
            "admin_key_id": "ADMIN",
            "admin_secret": "of the gateway",
            "mirror": {"endpoint": "https://mirror.example", "key_id": "M", "secret": "of the mirror"},
        }
        placement.add_cell(session, "local", "fr-par", [], store, SYSTEM)
        session.add(
            CellDatabase(
                id=new_id(),
                cell_id=placement.cell(session, "local").id,
                name="one",
                admin_url_sealed=vault.seal(URL, "cell-database-admin"),
                app_url_sealed=vault.seal(URL, "cell-database-app"),
            )
        )
        answers(session, vault).answer(lambda: _answer("s3cret"))
        storage.keyring(session, vault, organisation, tenant=True)
        sign_in(session, vault, organisation)
    return organisation


def vouched_for(session: Session, vault: Vault, staff: Staff) -> None:
    """A session that an OpenID Connect vouches for."""
    found = identity.complete(session, staff, identity.Client(), "oidc", replaces=None)
    row = session.get_one(StaffSession, token_hash(found.token))
    row.id_token_sealed = vault.seal("of the session", f"staff-id-token:{staff.id}")


def sign_in(session: Session, vault: Vault, organisation: UUID) -> None:
    """An identity provider with a client's secret, and one with a key of ours."""
    session.add(SignInRules(organisation_id=organisation, networks=[], break_glass=[]))
    plain = {
        "organisation_id": organisation,
        "vendor": "generic",
        "name": "IdP",
        "stage": "draft",
        "just_in_time": True,
    }
    lists = {"domains": [], "pilot": [], "attributes": {}, "roles": {}, "settings": {"issuer": "x"}}
    oidc, saml, key = new_id(), new_id(), new_id()
    secret = vault.seal("of the client", f"connection-secret:{oidc}")
    session.add(Connection(id=oidc, kind="oidc", secret_sealed=secret, settled_at=datetime.now(UTC), **plain, **lists))
    session.add(Connection(id=saml, kind="saml", settled_at=datetime.now(UTC), **plain, **lists))
    session.flush()
    sealed = vault.seal("of ours", f"connection-key:{key}")
    session.add(ConnectionKey(id=key, connection_id=saml, state="current", certificate="AA==", key_sealed=sealed))


def answers(session, vault: Vault) -> Once:  # type: ignore[no-untyped-def]
    return Once(session, vault, UUID(int=7), "key", b"print")


def _answer(content: str):  # type: ignore[no-untyped-def]
    from litestar import Response

    return Response({"secret": content}, status_code=201)


def everything(engine: Engine, vault: Vault, organisation: UUID) -> dict[str, object]:
    """What lies sealed, opened the way that the rooms open it."""
    with transaction(engine) as session:
        cell = placement.cell(session, "local")
        staff = identity.find_staff(session, "ines@parvis.example")
        assert staff is not None
        ring = storage.keyring(session, vault, organisation, tenant=True)
        return {
            "session": vault.open(
                identity.sessions(session, staff)[0].id_token_sealed or "", f"staff-id-token:{staff.id}"
            ),
            "totp": vault.open(staff.totp_sealed or "", f"staff-totp:{staff.id}"),
            "store": vault.open(cell.store["admin_secret_sealed"], placement.admin_purpose("local")),
            "mirror": vault.open(cell.store["mirror"]["secret_sealed"], placement.mirror_purpose("local")),
            "cell": placement.cell_vault(session, vault, "local").master,
            "admin": placement.admin_url(session, vault, cell.databases[0].id),
            "app": placement.tenant_app_url(session, vault, cell.databases[0].id),
            "answer": answers(session, vault).answer(lambda: _answer("made anew")).content,
            "keys": (ring.all, dict(ring.data_keys)),
            "sign-in": identity.published(session, Vault(bytes(32)), organisation),
            "audit": audit.audit_key(session),
            "chains": audit.verify(session, audit.audit_key(session)).ok,
        }


def test_after_a_rotation_the_new_key_alone_opens_everything_and_all_is_as_it_was(engine: Engine, vault: Vault) -> None:
    organisation = furnish(engine, vault)
    before = everything(engine, OLD, organisation)
    after = opened(engine, BOTH)
    told: list[tuple[str, int, int]] = []
    found = sealing.reseal(after, BOTH, progress=lambda *one: told.append(one))
    assert (found.left, found.lost, found.key_id) == (0, 0, NEW.key_id)
    assert {one[0] for one in told} == {sealed.name for sealed in SEALED}
    alone = opened(engine, NEW)
    assert everything(alone, NEW, organisation) == before
    assert before["chains"]
    after.dispose()
    alone.dispose()


def test_the_control_without_sealing_anew_the_new_key_alone_opens_nothing(engine: Engine, vault: Vault) -> None:
    organisation = furnish(engine, vault)
    alone = opened(engine, NEW)
    with pytest.raises(Unavailable, match="vault_refused"):
        everything(alone, NEW, organisation)
    with transaction(alone) as session:
        found = sealing.status(session, NEW)
    assert found.lost == found.left > 0
    alone.dispose()


@pytest.mark.parametrize("missing", SEALED, ids=lambda sealed: sealed.name)
def test_the_control_a_column_that_is_not_listed_would_stay_behind(
    engine: Engine, vault: Vault, missing: sealing.Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation = furnish(engine, vault)
    monkeypatch.setattr("control_plane.sealing.service.SEALED", tuple(one for one in SEALED if one != missing))
    after = opened(engine, BOTH)
    assert sealing.reseal(after, BOTH).left == 0
    alone = opened(engine, NEW)
    with pytest.raises(Unavailable, match="vault_refused"):
        everything(alone, NEW, organisation)
    after.dispose()
    alone.dispose()


def test_the_status_counts_by_key_and_what_only_derives(engine: Engine, vault: Vault) -> None:
    furnish(engine, vault)
    with engine.begin() as connection:
        connection.execute(text("update cell set key_sealed = null"))
        connection.execute(text("update store_key set secret_sealed = null"))
    with transaction(engine) as session:
        found = sealing.status(session, BOTH)
    lines = {line.column: line for line in found.lines}
    assert lines["staff.totp_sealed"].by_key == {OLD.key_id: 1}
    assert (lines["cell.key_sealed"].derived, lines["store_key.secret_sealed"].derived) == (1, 1)
    assert (found.sealed, found.lost) == (0, 0)
    assert found.left == sum(sum(line.by_key.values()) + line.derived for line in found.lines) == 13


def test_what_cannot_be_opened_is_told_and_stops_nothing(engine: Engine, vault: Vault) -> None:
    furnish(engine, vault)
    with engine.begin() as connection:
        connection.execute(text("update staff set totp_sealed = :t"), {"t": Vault(b"x" * 32).seal("a", "b")})
    after = opened(engine, BOTH)
    found = sealing.reseal(after, BOTH)
    assert (found.left, found.lost) == (1, 1)
    after.dispose()


def test_a_row_that_somebody_holds_is_passed_over_and_comes_later(engine: Engine, vault: Vault) -> None:
    furnish(engine, vault)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with engine.begin() as connection:
            connection.execute(text("select 1 from staff for update"))
            held.set()
            free.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    threading.Timer(0.3, free.set).start()
    after = opened(engine, BOTH)
    assert sealing.reseal(after, BOTH).left == 0
    holder.join()
    after.dispose()


def test_many_rows_are_sealed_anew_in_small_transactions(engine: Engine, vault: Vault) -> None:
    rows = [{"id": new_id(), "wrapped": vault.seal("k", "p")} for _ in range(250)]
    with engine.begin() as connection:
        connection.execute(
            text("insert into organisation_key (organisation_id, version, wrapped) values (:id, 1, :wrapped)"), rows
        )
        for row in rows:
            sealed = vault.seal("key", f"organisation-key:{row['id']}:1")
            connection.execute(
                text("update organisation_key set wrapped = :w where organisation_id = :id"),
                {"w": sealed, "id": row["id"]},
            )
    after, told = opened(engine, BOTH), []
    sealing.reseal(after, BOTH, progress=lambda *one: told.append(one))
    assert [one for one in told if one[0] == "organisation_key.wrapped"] == [
        ("organisation_key.wrapped", done, 250) for done in (100, 200, 250)
    ]
    after.dispose()


def unlisted() -> list[str]:
    """Columns whose name says that they are sealed, and that the list lacks."""
    listed = {(sealed.table, sealed.column) for sealed in SEALED} | {("store_key", "secret_sealed")}
    return [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if (column.name.endswith("_sealed") or column.name == "wrapped") and (table.name, column.name) not in listed
    ]


def test_every_column_that_is_sealed_is_listed() -> None:
    assert unlisted() == []


def test_the_control_a_new_sealed_column_would_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SEALED", tuple(one for one in SEALED if one.table != "staff"))
    assert unlisted() == ["staff.totp_sealed"]


# How often each module seals something. Who adds a call says here whether it stays in the database, and if so lists the
# column in `control_plane.sealing.columns`.
SEALERS = {
    "audit/keys.py": 1,  # audit_key.key_sealed
    "console/desk.py": 1,  # a cookie of two minutes
    "identity/connection_keys.py": 1,  # sign_in_key.key_sealed
    "identity/connections.py": 1,  # sign_in_connection.secret_sealed
    "identity/factors.py": 2,  # staff.totp_sealed; an offered secret, in a form
    "identity/publishing.py": 2,  # the tenant record, by the cell's key
    "identity/staff_links.py": 1,  # a sign-in under way, for minutes
    "identity/staff.py": 1,  # staff.totp_sealed
    "identity/vouching.py": 1,  # staff_session.id_token_sealed
    "operator_api/idempotency.py": 1,  # idempotency_key.body
    "placement/databases.py": 2,  # cell_database
    "placement/stores.py": 3,  # cell.store, cell.key_sealed
    "portal/once.py": 1,  # a cookie of two minutes
    "sealing/service.py": 1,  # all of them anew
    "storage/keys.py": 2,  # the tenant record, by the cell's key
    "storage/keys_chest.py": 4,  # organisation_key.wrapped; store_key.secret_sealed, by the data key
    "storage/keys_rotation.py": 1,  # store_key.secret_sealed, by the data key
}


def sealers() -> dict[str, int]:
    found: dict[str, int] = {}
    for path in sorted((ROOT / "control_plane").rglob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        count = sum(isinstance(call, ast.Attribute) and call.attr in {"seal", "seal_alike"} for call in calls)
        if count:
            found[str(path.relative_to(ROOT / "control_plane"))] = count
    return found


def test_whoever_seals_something_is_known() -> None:
    assert sealers() == SEALERS


def test_a_purpose_is_filled_in_from_the_row() -> None:
    sealed = next(one for one in SEALED if one.table == "organisation_key")
    assert sealed.purpose_of({"organisation_id": UUID(int=1), "version": 2}).endswith("0001:2")
    assert dataclasses.replace(sealed, path=("a", "b"), column="c").text == "c #>> '{a,b}'"


@pytest.fixture
def folder(tmp_path: Path, engine: Engine, vault: Vault) -> Path:
    """A machine's installation whose file of master keys has a new one first."""
    furnish(engine, vault)
    keys = [base64.b64encode(key).decode() for key in BOTH.keys]
    (tmp_path / "master.key").write_text("\n".join(keys))
    return tmp_path


def parvis(folder: Path, engine: Engine, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {
        "PARVIS_DATABASE_URL": engine.url.render_as_string(hide_password=False).replace("+psycopg", ""),
        "PARVIS_MASTER_KEY_FILE": str(folder / "master.key"),
        "PYTHONPATH": str(ROOT),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
    command = [sys.executable, "-m", "control_plane", "vault", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**kept, **env}, capture_output=True, text=True, timeout=180, check=False
    )


def test_the_command_tells_and_seals_anew(folder: Path, engine: Engine) -> None:
    before = json.loads(parvis(folder, engine, "status", "--json").stdout)
    assert (before["key"], before["sealed"], before["left"] > 0) == (NEW.key_id, 0, True)
    assert "still hang on an older key" in parvis(folder, engine, "status").stdout
    done = parvis(folder, engine, "reseal")
    assert (done.returncode, "may be removed" in done.stdout) == (0, True), done.stderr
    assert "staff.totp_sealed: 1 of 1" in done.stderr
    after = json.loads(parvis(folder, engine, "status", "--json").stdout)
    assert (after["left"], after["sealed"]) == (0, before["left"])
    alone = opened(engine, NEW)
    with transaction(alone) as session:
        (event,) = audit.events(session, audit.Filter(verb="vault.resealed")).items
    alone.dispose()
    assert (event.actor["name"], event.data["left"]) == ("parvis vault reseal", 0)
