"""Every place of the control plane's database that the master key seals. What is not listed here is lost at a rotation.

The secrets of store keys are missing on purpose: the organisation's data key seals them, and that one is listed.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sealed:
    """A column of sealed texts.

    `key` identifies a row; `purpose` is what the room seals for, with the row's key filled in. `path` leads to the text
    inside a JSON column. `binary` is a text kept as bytes. Names here are our own and go into statements as they are.
    """

    table: str
    key: tuple[str, ...]
    column: str
    purpose: str
    path: tuple[str, ...] = ()
    binary: bool = False

    @property
    def name(self) -> str:
        """How people read it."""
        return ".".join((self.table, self.column, *self.path))

    @property
    def text(self) -> str:
        """The expression that reads the sealed text."""
        if self.path:
            return f"{self.column} #>> '{{{','.join(self.path)}}}'"
        return f"convert_from({self.column}, 'UTF8')" if self.binary else self.column

    @property
    def replaced(self) -> str:
        """The expression that puts `:sealed` in its place."""
        if self.path:
            return f"jsonb_set({self.column}, '{{{','.join(self.path)}}}', to_jsonb(cast(:sealed as text)))"
        return "convert_to(:sealed, 'UTF8')" if self.binary else ":sealed"

    def purpose_of(self, row: dict[str, Any]) -> str:
        """What the text of this row is sealed for."""
        return self.purpose.format(**row)


SEALED = (
    Sealed("audit_key", ("one",), "key_sealed", "audit-key"),
    Sealed("staff", ("id",), "totp_sealed", "staff-totp:{id}"),
    Sealed("staff_session", ("token_hash", "staff_id"), "id_token_sealed", "staff-id-token:{staff_id}"),
    Sealed("cell", ("name",), "key_sealed", "cell-key:{name}"),
    Sealed("cell", ("name",), "store", "store-admin:{name}", path=("admin_secret_sealed",)),
    Sealed("cell", ("name",), "store", "store-mirror:{name}", path=("mirror", "secret_sealed")),
    Sealed("cell_database", ("id",), "admin_url_sealed", "cell-database-admin"),
    Sealed("cell_database", ("id",), "app_url_sealed", "cell-database-app"),
    Sealed(
        "organisation_key", ("organisation_id", "version"), "wrapped", "organisation-key:{organisation_id}:{version}"
    ),
    Sealed("sign_in_connection", ("id",), "secret_sealed", "connection-secret:{id}"),
    Sealed("sign_in_key", ("id",), "key_sealed", "connection-key:{id}"),
    Sealed("idempotency_key", ("token_id", "key"), "body", "idempotency", binary=True),
)
