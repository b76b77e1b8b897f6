"""A database of the release before keys were random goes on with the keys that it has, and may then rotate."""

import base64
import hashlib
import hmac
import itertools
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from alembic import command
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Engine, text

from control_plane import audit, placement, sealing, storage
from control_plane.audit import SYSTEM, AuditEvent
from control_plane.audit.chain import START, event_digest, head_digest
from kit.db import open_engine, transaction
from kit.errors import Unavailable
from kit.vault import Vault
from migrations.control_plane import config, upgrade
from tests.world.servers import create_database, drop_database

OLD, NEW = Vault(bytes(range(32))), Vault(b"n" * 32)
BOTH = Vault(NEW.master, (OLD.master,))
ORGANISATION, CELL, DATABASE = UUID(int=0xABC), UUID(int=2), UUID(int=3)
URL = "postgresql://somebody@127.0.0.1:1/nowhere"
Reopened = Callable[[Vault], Engine]
_numbers = itertools.count(1)


def derived(purpose: str) -> bytes:
    """What the release before derived from its one master key."""
    return hmac.new(OLD.master, purpose.encode(), hashlib.sha256).digest()


def sealed(secret: str, purpose: str) -> str:
    """As that release sealed."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(derived("seal")).encrypt(nonce, secret.encode(), purpose.encode())).decode()


ROWS = """
insert into cell (id, name, region, qualities, store, open)
values (:cell, 'local', 'fr-par', '[]', '{"kind": "files", "root": "/nowhere"}', true);
insert into cell_database
  (id, cell_id, name, admin_url_sealed, app_url_sealed, capacity, tenants, spares_wanted, spares_seen)
values (:database, :cell, 'one', :url, :app, 10, 1, 0, 0);
insert into placement (organisation_id, cell_id, cell_database_id, slot)
values (:organisation, :cell, :database, 'slot_000001');
"""


def write_chain(engine: Engine) -> None:
    """An event, chained by the derived key."""
    event = AuditEvent(
        id=UUID(int=9),
        chain=str(ORGANISATION),
        seq=1,
        at=datetime.now(UTC),
        organisation_id=ORGANISATION,
        actor=SYSTEM.as_json(),
        verb="organisation.ordered",
        data={},
    )
    event.digest = event_digest(derived("audit"), event, START)
    head = head_digest(derived("audit"), event.chain, 1, event.digest)
    with transaction(engine) as session:
        session.add(event)
        session.execute(
            text("insert into audit_chain (chain, seq, digest) values (:c, 1, :d)"), {"c": event.chain, "d": head}
        )


@pytest.fixture
def before(postgres: str) -> Iterator[str]:
    """The address of a database at revision 0001, with rows."""
    name = f"upgrade_{os.getpid()}_{next(_numbers)}"
    url = create_database(postgres, name)
    engine = open_engine(url)
    with engine.begin() as connection:
        command.upgrade(config(connection), "0001")
    values = {
        "cell": CELL,
        "database": DATABASE,
        "organisation": ORGANISATION,
        "url": sealed(URL, "cell-database-admin"),
        "app": sealed(URL, "cell-database-app"),
    }
    with engine.begin() as connection:
        for statement in ROWS.strip().split(";")[:-1]:
            connection.execute(text(statement), values)
    write_chain(engine)
    engine.dispose()
    yield url
    drop_database(postgres, name)


@pytest.fixture
def upgraded(before: str) -> Iterator[Engine]:
    engine = open_engine(before, vault=OLD)
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def reopened(upgraded: Engine) -> Iterator[Reopened]:
    """The same database with other master keys, as after a restart."""
    made: list[Engine] = []

    def reopen(vault: Vault) -> Engine:
        made.append(open_engine(upgraded.url.render_as_string(hide_password=False), vault=vault))
        return made[-1]

    yield reopen
    for engine in made:
        engine.dispose()


def secret_of(engine: Engine, vault: Vault) -> storage.AccessKey:
    with transaction(engine) as session:
        return storage.keyring(session, vault, ORGANISATION).current


THE_KEY = storage.AccessKey("PV000000000ABC01", derived(f"store-key:{ORGANISATION}:1").hex()[:40])


def test_an_organisation_keeps_the_access_key_that_its_store_and_its_record_know(upgraded: Engine) -> None:
    assert secret_of(upgraded, OLD) == THE_KEY
    with transaction(upgraded) as session:
        (key,) = storage.keys_of(session, ORGANISATION).store
        assert (key.version, key.state, key.removed_at) == (1, "current", None)
        stored = session.execute(text("select secret_sealed from store_key")).scalar_one()
    assert stored
    assert THE_KEY.secret not in stored


def test_a_cell_keeps_the_key_that_its_tenant_app_knows(upgraded: Engine) -> None:
    with transaction(upgraded) as session:
        assert placement.cell_vault(session, OLD, "local").master == derived("cell:local")
    with transaction(upgraded) as session:
        assert session.execute(text("select key_sealed is not null from cell")).scalar_one()
        assert placement.cell_vault(session, OLD, "local").master == derived("cell:local")


def test_the_record_of_who_did_what_goes_on_in_one_chain(upgraded: Engine) -> None:
    with transaction(upgraded) as session:
        audit.record(session, "organisation.renamed", actor=SYSTEM, organisation_id=ORGANISATION)
    with transaction(upgraded) as session:
        report = audit.verify(session, audit.audit_key(session), ORGANISATION)
    assert (report.ok, report.events) == (True, 2)


def test_sealed_addresses_still_open(upgraded: Engine) -> None:
    with transaction(upgraded) as session:
        assert placement.admin_url(session, OLD, DATABASE) == URL


@pytest.mark.parametrize("used", [True, False], ids=["after some use", "at once"])
def test_then_the_master_key_rotates_and_nothing_that_is_published_changes(
    upgraded: Engine, reopened: Reopened, used: bool
) -> None:
    if used:
        secret_of(upgraded, OLD)
    both, alone = reopened(BOTH), reopened(NEW)
    with transaction(both) as session:
        found = sealing.status(session, BOTH)
        assert (found.sealed, found.left, found.lost) == (0, 5, 0)
    assert sealing.reseal(both, BOTH).left == 0
    assert secret_of(alone, NEW) == THE_KEY
    with transaction(alone) as session:
        assert placement.cell_vault(session, NEW, "local").master == derived("cell:local")
        assert placement.admin_url(session, NEW, DATABASE) == URL
        assert audit.verify(session, audit.audit_key(session)).ok


@pytest.mark.parametrize("keys", [BOTH, Vault(OLD.master, (NEW.master,))], ids=["new first", "new last"])
def test_which_key_was_the_first_is_found_whatever_their_order(reopened: Reopened, keys: Vault) -> None:
    engine = reopened(keys)
    assert secret_of(engine, keys) == THE_KEY
    with transaction(engine) as session:
        assert placement.cell_vault(session, keys, "local").master == derived("cell:local")
        assert audit.verify(session, audit.audit_key(session)).ok


def test_without_the_old_key_no_wrong_one_is_kept_for_good(reopened: Reopened) -> None:
    alone, old = reopened(NEW), reopened(OLD)
    with pytest.raises(Unavailable, match="record was begun with"), transaction(alone) as session:
        audit.audit_key(session)
    with pytest.raises(Unavailable, match="begun with"), transaction(alone) as session:
        placement.cell_vault(session, NEW, "local")
    with transaction(old) as session:
        assert audit.verify(session, audit.audit_key(session)).ok
        assert placement.cell_vault(session, OLD, "local").master == derived("cell:local")


def test_an_upgrade_of_a_database_without_rows_leaves_none(postgres: str) -> None:
    name = f"upgrade_{os.getpid()}_{next(_numbers)}"
    engine = open_engine(create_database(postgres, name), vault=OLD)
    upgrade(engine)
    with engine.connect() as connection:
        counts = "select (select count(*) from audit_key) + (select count(*) from store_key)"
        assert connection.execute(text(counts)).scalar_one() == 0
    with transaction(engine) as session:
        # A new record has a key of its own, which no master key gives.
        assert audit.audit_key(session) not in {derived("audit"), OLD.derive("audit")}
    engine.dispose()
    drop_database(postgres, name)
