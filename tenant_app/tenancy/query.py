"""Statements written once in SQLAlchemy Core, compiled once, run on asyncpg; rows become msgspec structs.

At run time SQLAlchemy is not involved: this costs 2 to 9 % over bare asyncpg; its own execution costs 60 % or more.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import asyncpg
import msgspec
from sqlalchemy import ARRAY, JSON
from sqlalchemy.dialects.postgresql import asyncpg as dialects
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.sql.type_api import TypeEngine

Connection: TypeAlias = asyncpg.Connection


class _Compiler(dialects.PGCompiler_asyncpg):
    """Lists written into a statement are spread out as it is compiled; values still to be given may be missing then."""

    def construct_params(self, *given: Any, **options: Any) -> dict[str, Any]:
        """The values known so far."""
        return dict(super().construct_params(*given, **options | {"_check": False}))


_DIALECT: Any = dialects.dialect()  # type: ignore[no-untyped-call]
_DIALECT.statement_compiler = _Compiler
_DIALECT.supports_native_uuid = True
# Lists and JSON go to the driver as they are: its own codecs know them.
_NATIVE = (ARRAY, JSON)

Convert = Callable[[Any], Any]


def _incoming(kind: TypeEngine[Any]) -> Convert | None:
    if isinstance(kind, _NATIVE):
        return None
    convert: Convert | None = kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    return convert


def _outgoing(kind: TypeEngine[Any]) -> Convert | None:
    if isinstance(kind, _NATIVE):
        return None
    convert: Convert | None = kind.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
    return convert


class Q:
    """One statement. `row` is the struct of its rows: its first fields are named like the columns, in their order.

    Values are given by name; those written into the statement are its defaults.
    """

    __slots__ = ("_constants", "_in", "_out", "names", "row", "sql")

    def __init__(self, statement: ClauseElement, row: type[msgspec.Struct] | None = None) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.sql: str = compiled.string
        self.names: tuple[str, ...] = tuple(compiled.positiontup or ())
        binds = compiled.binds
        self._constants = {n: compiled.params[n] for n in self.names if n not in binds or not binds[n].required}
        found = {n: _incoming(binds[n].type) for n in self.names if n in binds}
        self._in = {name: convert for name, convert in found.items() if convert is not None}
        self.row = row
        self._out = self._row_conversions(compiled, row) if row is not None else []

    def _row_conversions(self, compiled: Any, row: type[msgspec.Struct]) -> list[tuple[int, Convert]]:
        columns = compiled._result_columns  # noqa: SLF001 - SQLAlchemy has no public name for them
        names = [column.keyname if isinstance(column.keyname, str) else column.keyname[0] for column in columns]
        fields = list(row.__struct_fields__)
        if names != fields[: len(names)]:
            msg = f"{row.__name__} has the fields {fields}, the statement the columns {names}"
            raise TypeError(msg)
        conversions = ((place, _outgoing(column.type)) for place, column in enumerate(columns))
        return [(place, convert) for place, convert in conversions if convert is not None]

    def values(self, given: dict[str, Any]) -> list[Any]:
        """The positional values for the driver. A missing or unknown name is a bug and stays loud."""
        if given.keys() - set(self.names):
            msg = f"unknown values: {sorted(given.keys() - set(self.names))}"
            raise TypeError(msg)
        convert = self._in
        plain = [given[name] if name in given else self._constants[name] for name in self.names]
        if not convert:
            return plain
        return [
            convert[name](value) if value is not None and name in convert else value
            for name, value in zip(self.names, plain, strict=True)
        ]

    async def all(self, conn: Connection, **given: Any) -> list[Any]:
        """Every row, as structs."""
        rows = await conn.fetch(self.sql, *self.values(given))
        row = self.row
        if row is None:
            return list(rows)
        if not self._out:
            return [row(*found) for found in rows]
        return [row(*self._converted(list(found))) for found in rows]

    def _converted(self, values: list[Any]) -> list[Any]:
        for place, convert in self._out:
            if values[place] is not None:
                values[place] = convert(values[place])
        return values

    async def one(self, conn: Connection, **given: Any) -> Any:
        """The first row as a struct, or None."""
        found = await self.all(conn, **given)
        return found[0] if found else None

    async def scalar(self, conn: Connection, **given: Any) -> Any:
        """The first column of the first row, or None."""
        return await conn.fetchval(self.sql, *self.values(given))

    async def run(self, conn: Connection, **given: Any) -> int:
        """Run it for its effect; returns how many rows it touched."""
        status: str = await conn.execute(self.sql, *self.values(given))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def each(self, conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Run it for its effect with each row of values, all in one round trip."""
        if rows:
            await conn.executemany(self.sql, [self.values(row) for row in rows])
