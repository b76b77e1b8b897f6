"""Short transactions on a cell database, from a small pool per address that the whole process shares."""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy.exc
from psycopg.rows import TupleRow
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL

from kit.errors import Refusal, Unavailable

Connection = psycopg.Connection[TupleRow]

_ENGINES: dict[str, Engine] = {}
_LOCK = threading.Lock()

# Somebody else was at it, or this process slept in the midst: the next try finds it free.
BUSY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

# Statements of the control plane are short. Building and dropping a slot are the longest, and wait for no one long.
OPTIONS = "-c statement_timeout=60000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000"


def parse(url: str) -> URL:
    """The parts of `postgresql://user:password@host:port/database`; refuses anything else, naming the field."""
    try:
        parsed = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise _bad_address() from error
    if parsed.drivername not in {"postgresql", "postgres"} or not parsed.database or not parsed.username:
        raise _bad_address()
    return parsed.set(drivername="postgresql")


def _bad_address() -> Refusal:
    return Refusal(
        "database_url_invalid",
        "A database address looks like postgresql://user:password@host:5432/name.",
        field="admin_url",
    )


def engine_for(url: str) -> Engine:
    """The process's engine for this address; dead connections are replaced before use."""
    with _LOCK:
        engine = _ENGINES.get(url)
        if engine is None:
            engine = _ENGINES[url] = create_engine(
                parse(url).set(drivername="postgresql+psycopg"),
                pool_size=4,
                max_overflow=12,
                pool_timeout=10,
                pool_recycle=1800,
                pool_use_lifo=True,
                connect_args={"options": OPTIONS, "connect_timeout": 5, "keepalives_idle": 30},
            )
            event.listen(engine, "checkout", _refuse_dead)
        return engine


def _refuse_dead(connection: Connection, _record: Any, _proxy: Any) -> None:
    """An idle connection on which something waits to be read has been ended by its server: the pool opens another.

    Looking costs a system call, where asking the server costs a round trip on every transaction.
    """
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
    if watch.poll(0):
        raise sqlalchemy.exc.DisconnectionError


def forget(url: str) -> None:
    """Close the pool of this address; the next use opens another."""
    with _LOCK:
        engine = _ENGINES.pop(url, None)
    if engine is not None:
        engine.dispose()


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """One transaction; committed when the block ends well. Raises `Unavailable` when the database is lost or busy."""
    try:
        pooled = engine_for(url).raw_connection()
    except (sqlalchemy.exc.SQLAlchemyError, psycopg.Error) as error:
        raise Unavailable("cell_unreachable", str(error)) from error
    connection: Any = pooled.driver_connection
    try:
        yield connection
        connection.commit()
    except BUSY as error:
        raise Unavailable("cell_busy", str(error)) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Unavailable("cell_unreachable", str(error)) from error
    finally:
        _give_back(pooled, connection)


def _give_back(pooled: Any, connection: Connection) -> None:
    # A connection in an unknown state is thrown away; a healthy one is rolled back by the pool.
    if (
        connection.closed
        or connection.broken
        or connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE
    ):
        pooled.invalidate()
    pooled.close()
