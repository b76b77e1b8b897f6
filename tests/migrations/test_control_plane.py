"""The migrations make what the models say."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.identity import Scope
from kit.db import transaction, vault_of
from migrations.control_plane import upgrade
from migrations.control_plane.models import metadata


def differences(engine: Engine) -> list[str]:
    """What autogenerate would write; tables that no model has (the state graph) are the migrations' own."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    return [str(one) for one in found if not (one[0] == "remove_table" and one[1].name == "organisation_step")]


def test_models_and_migrations_say_the_same(engine: Engine) -> None:
    assert differences(engine) == []


def test_a_column_that_no_migration_made_is_seen(engine: Engine) -> None:
    """The broken control of the test above."""
    with engine.begin() as connection:
        connection.execute(text("alter table hold drop column lifted_by"))
    assert any("lifted_by" in one for one in differences(engine))


def test_an_upgrade_of_an_upgraded_database_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    assert differences(engine) == []


def test_tokens_of_before_get_who_issued_or_rotated_them_as_their_owner(engine: Engine) -> None:
    with transaction(engine) as session:
        ines, marc = (
            identity.create_staff(session, vault_of(session), f"{name}@parvis.example", name, "operator", None)
            for name in ("ines", "marc")
        )
        by = {"ines": identity.actor_of(ines), "marc": identity.actor_of(marc), "machine": SYSTEM}
        made = {
            name: identity.issue_token(session, name, [Scope.OFFERS_READ], None, (), actor)[0].id
            for name, actor in by.items()
        }
        made["rotated"] = identity.rotate_token(session, made["ines"], actor=by["marc"])[0].id
        owners = {"ines": ines.id, "marc": marc.id, "machine": None, "rotated": marc.id}
    with engine.begin() as connection:
        connection.execute(text("alter table api_token drop column owner_id"))
        connection.execute(text("alter table staff_link drop column refused_at"))
        connection.execute(text("update alembic_version set version_num = '0009'"))
    upgrade(engine)
    assert differences(engine) == []
    with engine.connect() as connection:
        found = dict(connection.execute(text("select id, owner_id from api_token")).all())
    assert {name: found[token] for name, token in made.items()} == owners
