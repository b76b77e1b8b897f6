"""One connection of the tenant app to a cell database, made ready so that no slot's role must look anything up."""

from typing import Any

import asyncpg
import msgspec

from tenant_app.tenancy.query import Connection

# Types that the driver looks up when it first meets them. It then calls set_config, which no slot may.
ARRAYS = ("uuid", "text", "varchar", "int2", "int4", "int8", "bool", "float8", "bytea", "timestamptz", "date", "jsonb")
PRIME = "select " + ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(ARRAYS, 1))

SETTINGS = {
    "application_name": "parvis tenant app",
    # The next tenant needs another plan anyway; a generic one is made once.
    "plan_cache_mode": "force_generic_plan",
    # A query whose caller has gone ends within a second.
    "client_connection_check_interval": "1s",
}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def _to_jsonb(value: Any) -> bytes:
    return b"\x01" + _encode(value)


def _from_jsonb(value: bytes) -> Any:
    return _decode(value[1:])


async def connect(url: str, *, command_seconds: float | None = None) -> Connection:
    """A ready connection as the login role, which by itself can read no tenant's table."""
    connection = await asyncpg.connect(
        url,
        timeout=5,
        command_timeout=command_seconds,
        statement_cache_size=400,
        max_cached_statement_lifetime=0,
        server_settings=SETTINGS,
    )
    try:
        await connection.set_type_codec(
            "jsonb", encoder=_to_jsonb, decoder=_from_jsonb, schema="pg_catalog", format="binary"
        )
        await connection.prepare(PRIME)
    except BaseException:
        connection.terminate()
        raise
    return connection
