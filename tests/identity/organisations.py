"""An organisation that sets its sign-in up, for tests: with people in its workspace, name servers, and its record."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from control_plane import identity
from control_plane.audit import Actor, Filter, events
from control_plane.identity import ConnectionView, DomainView, NewConnection
from control_plane.placement import Databases
from kit.db import transaction
from kit.settings import ControlPlaneSettings
from tenant_app.contract import Identity
from tests.world.house import House
from tests.world.names import NameServer

ADA = Actor("member", "ada", "Ada Martin")


@dataclass
class Setting:
    """One organisation of a house, with the services of `identity` each in a transaction of its own."""

    house: House
    settings: ControlPlaneSettings
    servers: list[NameServer]
    organisation_id: UUID

    def call(self, verb: Any, *arguments: Any, **options: Any) -> Any:
        """A service by its arguments after the organisation; who acts is added where nobody is named."""
        with transaction(self.house.engine) as session:
            return verb(session, self.organisation_id, *arguments, **options)

    def with_settings(self, verb: Any, *arguments: Any, **options: Any) -> Any:
        """The same for what needs the installation's settings."""
        with transaction(self.house.engine) as session:
            return verb(session, self.settings, self.organisation_id, *arguments, **options)

    def prove(self, view: DomainView, *servers: NameServer) -> None:
        """Its keeper sets the record."""
        for server in servers or self.servers:
            server.texts[view.record_name] = ["v=spf1 -all", view.record_value]

    def withdraw(self, view: DomainView) -> None:
        for server in self.servers:
            server.texts.pop(view.record_name, None)

    def proven(self, name: str) -> DomainView:
        """A proven domain."""
        view: DomainView = self.call(identity.claim_domain, name, actor=ADA)
        self.prove(view)
        checked: DomainView = self.with_settings(identity.check_domain, view.id, actor=ADA)
        assert checked.state == "proven", checked.answers
        return checked

    def add(self, new: NewConnection) -> ConnectionView:
        made: ConnectionView = self.with_settings(identity.add_connection, new, actor=ADA)
        return made

    def published(self) -> Identity:
        """What the cell is told once the loop has run."""
        self.house.settle(self.organisation_id)
        record = self.house.cell.inspect(self.organisation_id).record
        assert record is not None
        return record.identity

    def verbs(self) -> list[str]:
        with transaction(self.house.engine) as session:
            found = events(session, Filter(organisation_id=self.organisation_id, limit=200)).items
            return [one.verb for one in reversed(found)]

    def event(self, verb: str) -> dict[str, Any]:
        """What the latest event of this kind tells."""
        with transaction(self.house.engine) as session:
            return events(session, Filter(organisation_id=self.organisation_id, verb=verb)).items[0].data

    @property
    def slot(self) -> str:
        slot = self.house.cell.inspect(self.organisation_id).slot
        assert slot is not None
        return slot

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """In the workspace's schema, as its administrator."""
        with psycopg.connect(self.house.cell_url, autocommit=True) as connection:
            cursor = connection.execute(statement.replace("~", self.slot).encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def person(self, name: str, role: int = 2, *, passkeys: int = 0) -> UUID:
        """Somebody in the workspace."""
        made = uuid4()
        self.sql(
            "insert into ~.principal (id, kind, name, email, role) values (%s, 'm', %s, %s, %s)",
            *(made, name, f"{name.lower()}@acme.example", role),
        )
        for _ in range(passkeys):
            self.sql("insert into ~.credential (id, principal_id, kind) values (%s, %s, 'k')", uuid4(), made)
        return made

    @property
    def databases(self) -> Databases:
        return self.house.world.databases

    def key_unknown(self, connection_id: UUID) -> None:
        """Somebody was refused there because the provider signed by a key that is not known."""
        self.sql(
            "insert into directory.unknown_key (connection_id, organisation_id) values (%s, %s)",
            *(connection_id, self.organisation_id),
        )

    def keys_unknown(self) -> set[UUID]:
        rows = self.sql(
            "select connection_id from directory.unknown_key where organisation_id = %s", self.organisation_id
        )
        return {row[0] for row in rows}

    def went(self, connection_id: UUID, purpose: str, who: UUID | None = None, refusal: str | None = None) -> None:
        """A sign-in or a test run took place."""
        data = {"checks": [], "result": {"action": "refused" if refusal else "signed_in"}, "refusal": refusal}
        self.sql(
            "insert into ~.sso_trace (id, connection_id, purpose, outcome, principal_id, data)"
            " values (%s, %s, %s, %s, %s, %s)",
            *(uuid4(), connection_id, purpose, refusal or "ok", who, Jsonb(data)),
        )
