"""The schema of one tenant: Alembic's revisions, compiled once a process to SQL that names no schema."""

from migrations.tenant.compiler import CompiledSchema, Revision, compiled

__all__ = ["CompiledSchema", "Revision", "compiled"]
