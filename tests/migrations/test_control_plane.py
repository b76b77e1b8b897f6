"""The migrations make what the models say."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

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
