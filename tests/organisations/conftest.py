"""Organisations on a real control-plane database; their cell is a row that nobody needs to reach."""

import os
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from control_plane import catalogue, organisations, placement, provisioning
from control_plane.audit import SYSTEM
from control_plane.organisations import NewOrganisation, Organisation
from control_plane.placement.models import CellDatabase
from control_plane.provisioning import Outcome
from kit.db import open_engine, transaction
from kit.ids import new_id
from kit.vault import Vault
from tests.world.servers import create_database, drop_database

Ask = Callable[..., NewOrganisation]


class Desk:
    """Orders organisations, and plays the loop: what was asked for becomes true at once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def new(self, address: str = "sevres", **options: object) -> NewOrganisation:
        asked = {
            "name": "Mairie de Sèvres",
            "offer": "public-sector",
            "admin_email": "jeanne@sevres.example",
            "admin_name": "Jeanne Martin",
        }
        return NewOrganisation(address=address, **(asked | options))  # type: ignore[arg-type]

    def order(self, address: str = "sevres", **options: object) -> Organisation:
        with transaction(self.engine) as session:
            return organisations.order(session, self.new(address, **options), SYSTEM)

    def live(self, address: str = "sevres", **options: object) -> UUID:
        found = self.order(address, **options).id
        self.becomes_true(found)
        return found

    def becomes_true(self, organisation_id: UUID, result: str = "settled") -> None:
        with transaction(self.engine) as session:
            operation = provisioning.current_operation(session, organisation_id)
            row = session.get_one(provisioning.Provisioning, organisation_id)
            assert operation is not None
            shows = None if row.desired == "absent" else row.order["shows"]
            for step in ["started", result] if operation.kind == "create" else [result]:
                outcome = Outcome(organisation_id, operation.id, operation.kind, row.desired, shows, step, "c", "why")  # type: ignore[arg-type]
                organisations.settled(session, outcome)
            operation.state = "succeeded"
            row.settled_generation = row.generation

    def act(self, action: str, organisation_id: UUID, **options: object) -> None:
        """Do it and let it become true."""
        with transaction(self.engine) as session:
            getattr(organisations, action)(session, organisation_id, actor=SYSTEM, **options)
        self.becomes_true(organisation_id)

    def get(self, organisation_id: UUID) -> Organisation:
        with transaction(self.engine) as session:
            return organisations.get(session, organisation_id)

    def state(self, organisation_id: UUID) -> str:
        return self.get(organisation_id).state

    def sql(self, statement: str, **values: object) -> list[object]:
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return [row[0] for row in result] if result.returns_rows else []


def furnish(engine: Engine) -> Desk:
    with transaction(engine) as session:
        catalogue.seed(session)
        placement.add_cell(session, "local", "fr-par", [], {"kind": "files", "root": "/nowhere"}, SYSTEM)
        cell_id = placement.cell(session, "local").id
        session.add(
            CellDatabase(
                id=new_id(), cell_id=cell_id, name="one", admin_url_sealed="", app_url_sealed="", capacity=2000
            )
        )
    return Desk(engine)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return furnish(engine)


@pytest.fixture(scope="module")
def empty_desk(postgres: str, _template: str, vault: Vault) -> Iterator[Desk]:
    """For tests that store nothing: shared by a module."""
    name = f"desk_{os.getpid()}"
    engine = open_engine(create_database(postgres, name, _template), vault=vault)
    yield furnish(engine)
    engine.dispose()
    drop_database(postgres, name)
