"""The tables of one workspace as a Django application, read from a slot: so the peer builds an equal schema."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

HEAD = """from django.contrib.postgres.fields import ArrayField
from django.db import models

"""
SIMPLE = {
    sa.UUID: "UUIDField",
    sa.SmallInteger: "SmallIntegerField",
    sa.BigInteger: "BigIntegerField",
    sa.Integer: "IntegerField",
    sa.Boolean: "BooleanField",
    sa.DateTime: "DateTimeField",
    JSONB: "JSONField",
    sa.LargeBinary: "BinaryField",
}


def read(url: str, slot: str) -> list[sa.Table]:
    """The slot's tables, those that are referred to first."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    metadata = sa.MetaData()
    metadata.reflect(engine, schema=slot)
    engine.dispose()
    return metadata.sorted_tables


def models(tables: list[sa.Table]) -> str:
    """The text of `models.py`."""
    return HEAD + "\n\n".join("\n".join(_model(table)) for table in tables) + "\n"


def special_indexes(tables: list[sa.Table], slot: str) -> list[str]:
    """Partial and functional indexes, which go into a migration of their own as SQL."""
    return [
        str(sa.schema.CreateIndex(index).compile(dialect=sa.dialects.postgresql.dialect())).replace(f"{slot}.", "")
        for table in tables
        for index in sorted(table.indexes, key=lambda index: str(index.name))
        if not _plain(index)
    ]


def _model(table: sa.Table) -> Iterator[str]:
    keys = [column.name for column in table.primary_key]
    unique = {
        constraint.columns.keys()[0]
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint) and len(constraint.columns) == 1
    }
    yield f"class {table.name.title()}(models.Model):"
    if len(keys) > 1:
        fields = ", ".join(repr(_field_name(table.c[key])) for key in keys)
        yield f"    pk = models.CompositePrimaryKey({fields})"
    for column in table.columns:
        options = _options(column, alone=keys == [column.name], unique=column.name in unique)
        yield f"    {_field_name(column)} = {_field(column, options)}"
    yield "    class Meta:"
    yield f"        db_table = {table.name!r}"
    yield f"        indexes = [{', '.join(_indexes(table))}]"


def _field_name(column: Any) -> str:
    return str(column.name).removesuffix("_id") if column.foreign_keys else str(column.name)


def _options(column: Any, *, alone: bool, unique: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"primary_key": True} if alone else {}
    if unique:
        options["unique"] = True
    if column.nullable:
        options["null"] = True
    if column.server_default is not None and isinstance(column.type, sa.SmallInteger | sa.BigInteger | sa.Integer):
        options["db_default"] = 0
    return options


def _field(column: Any, options: dict[str, Any]) -> str:
    kind = column.type
    if column.foreign_keys:
        target = next(iter(column.foreign_keys)).column.table.name.title()
        given = {
            "on_delete": "models.CASCADE",
            "db_index": False,
            "related_name": "'+'",
            "db_column": repr(column.name),
        }
        return f"models.ForeignKey({target!r}, {_text(given | options)})"
    if isinstance(kind, ARRAY):
        return f"ArrayField(models.UUIDField(), {_text(options)})"
    if isinstance(kind, sa.String):
        collation = {"db_collation": repr(kind.collation)} if kind.collation else {}
        return f"models.CharField({_text({'max_length': kind.length} | collation | options)})"
    name = next(name for base, name in SIMPLE.items() if isinstance(kind, base))
    return f"models.{name}({_text(options)})"


def _text(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _plain(index: sa.Index) -> bool:
    return all(isinstance(part, sa.Column) for part in index.expressions) and not (
        index.unique or index.dialect_options["postgresql"].get("where") is not None
    )


def _indexes(table: sa.Table) -> Iterator[str]:
    for index in table.indexes:
        if _plain(index):
            fields = ", ".join(repr(_field_name(column)) for column in index.columns)
            yield f"models.Index(fields=[{fields}], name={index.name!r})"
