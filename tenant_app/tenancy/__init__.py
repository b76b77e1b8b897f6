"""From a host to a session that can touch one tenant only."""

from tenant_app.contract import TenantRecord
from tenant_app.tenancy.admission import use_ticket
from tenant_app.tenancy.cell_file import CellFile, read_cell_file
from tenant_app.tenancy.directory import Directory
from tenant_app.tenancy.pool import TenantPool, as_tenant, read_only_refusal
from tenant_app.tenancy.query import Connection, Q
from tenant_app.tenancy.requests import admit, directory_of, pool, seals, tenant

__all__ = [
    "CellFile",
    "Connection",
    "Directory",
    "Q",
    "TenantPool",
    "TenantRecord",
    "admit",
    "as_tenant",
    "directory_of",
    "pool",
    "read_cell_file",
    "read_only_refusal",
    "seals",
    "tenant",
    "use_ticket",
]
