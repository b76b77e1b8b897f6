"""Whatever happens to keys, and however much is logged, no log line holds one."""

import base64
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from control_plane import organisations, placement, provisioning, sealing, storage
from control_plane.audit import SYSTEM
from control_plane.storage.keys_chest import Chest
from kit import logs
from kit.db import open_engine, transaction
from kit.vault import Vault
from tests.provisioning.rotating import AT_ONCE, INES
from tests.world.ceph import RunningCeph
from tests.world.house import CELL, House, open_house


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """What any logger says at DEBUG, the statements of the database with their values included; nothing is redacted."""
    root, said = logging.getLogger(), io.StringIO()
    before = root.level, root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    logs.configure("DEBUG", stream=io.StringIO())
    handler = logging.StreamHandler(said)
    root.handlers[:] = [handler]
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.setLevel(before[0])
        root.handlers[:] = before[1]
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def forms(key: bytes) -> set[str]:
    return {key.hex(), base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode(), repr(key)[2:-1]}


def secrets_of(house: House, organisation: UUID) -> set[str]:
    """Everything that must not be seen, in every form in which it is likely to be written."""
    found: set[str] = set()
    with transaction(house.engine) as session:
        chest = Chest.open(session, house.vault, organisation)
        ring = storage.leaving(session, house.vault, organisation)
        found |= {key.secret for key in ring.all}
        for key in [*(chest.unwrapped(row) for row in chest.living_data), *ring.data_keys.values()]:
            found |= forms(key)
        found |= forms(placement.cell_vault(session, house.vault, CELL).master)
    return found | forms(house.vault.master)


@pytest.fixture(params=["files", "ceph"])
def house(request: pytest.FixtureRequest, postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    store = None
    if request.param == "ceph":
        ceph: RunningCeph = request.getfixturevalue("ceph")
        store = ceph.store_settings(vault, CELL)
    with open_house(postgres, _template, vault, store=store) as opened:
        with transaction(opened.engine) as session:
            settings = {**placement.cell(session, CELL).store, "tenant_keys": True}
            placement.set_store(session, CELL, settings, SYSTEM)
        opened.publish_offer("sealed-team", encryption="tenant")
        yield opened


def test_nothing_that_keys_go_through_is_logged_with_a_secret(house: House) -> None:
    hidden: set[str] = set()
    with everything_logged() as said:
        organisation = house.live(offer="sealed-team")
        hidden |= secrets_of(house, organisation)
        for rotate in (provisioning.rotate_store_key, provisioning.rotate_data_key):
            with transaction(house.engine) as session:
                rotate(session, organisation, INES)
            house.settle(organisation)
            hidden |= secrets_of(house, organisation)
        assert provisioning.end_overlaps(house.engine, house.world, AT_ONCE) == 1
        house.settle(organisation)
        both = Vault(b"n" * 32, house.vault.keys)
        after = open_engine(house.control_url, vault=both)
        assert sealing.reseal(after, both).left == 0
        after.dispose()
        hidden |= forms(both.master)
    text = said.getvalue()
    assert "store_key" in text, "the statements of the database were listened to"
    assert len(hidden) > 20
    assert [one for one in hidden if one in text] == []


def test_nothing_of_a_removal_is_logged_with_a_secret(house: House) -> None:
    organisation = house.live(offer="sealed-team")
    hidden = secrets_of(house, organisation)
    with everything_logged() as said:
        with transaction(house.engine) as session:
            organisations.suspend(session, organisation, reason="an attack", actor=SYSTEM)
        house.settle(organisation)
        house.close_and_erase(organisation)
        house.settle_for_good(organisation)
    assert [one for one in hidden if one in said.getvalue()] == []
    assert house.state(organisation) == "erased"


def test_the_control_a_secret_that_is_logged_is_heard() -> None:
    with everything_logged() as said:
        logs.get("somewhere").debug("a slip", key="s3cret")
        logging.getLogger("sqlalchemy.engine.Engine").debug("also here: %r", "s4cret")
    assert "s3cret" in said.getvalue()
    assert "s4cret" in said.getvalue()
