"""The control plane's database: one declarative base, one way to open a transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Connection, DateTime, Engine, MetaData, Uuid, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session

from kit.vault import Vault

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

AFTER_COMMIT = "after_commit"
VAULT = "parvis_vault"


class Base(DeclarativeBase):
    """Every table of the control plane, billing's included."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
        int: BigInteger(),
        dict[str, Any]: JSONB(),
        list[str]: JSONB(),
    }


def open_engine(url: str, *, vault: Vault | None = None, pool_size: int = 10, echo: bool = False) -> Engine:
    """An engine on psycopg 3 for `postgresql://…`; connections are checked before use, statements end after 30 s.

    Who opens the control plane's database brings its vault: audit is keyed by it, sealed columns open by it.
    """
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        echo=echo,
        execution_options={VAULT: vault},
        connect_args={"options": "-c statement_timeout=30000 -c lock_timeout=10000", "connect_timeout": 5},
    )


def vault_of(session: Session) -> Vault:
    """The vault that the session's engine was opened with; an engine without one cannot change anything audited."""
    vault = session.get_bind().get_execution_options().get(VAULT)
    if not isinstance(vault, Vault):
        msg = "this engine was opened without its vault: open_engine(url, vault=Vault.from_file(master_key_file))"
        raise RuntimeError(msg)  # noqa: TRY004 - a mistake of wiring, not of a value
    return vault


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run `action` once the transaction of `session` has committed; never if it rolls back."""
    session.info.setdefault(AFTER_COMMIT, []).append(action)


@contextmanager
def transaction(engine: Engine | Connection) -> Iterator[Session]:
    """One request or one job is one transaction; only here is it committed.

    On a connection, several transactions follow each other without fetching one from the pool each time.
    """
    session = Session(engine, expire_on_commit=False)
    try:
        with session.begin():
            yield session
        for action in session.info.pop(AFTER_COMMIT, []):
            action()
    finally:
        session.close()
