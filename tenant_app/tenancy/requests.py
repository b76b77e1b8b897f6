"""What a request carries once its host has been found."""

from typing import Any

from litestar.connection import ASGIConnection

from kit.errors import not_found
from kit.vault import Vault
from tenant_app.contract import TenantRecord
from tenant_app.tenancy.directory import Directory
from tenant_app.tenancy.pool import TenantPool

SCOPE_KEY = "parvis.tenant"

AnyConnection = ASGIConnection[Any, Any, Any, Any]


def admit(scope: Any, record: TenantRecord, directory: Directory) -> None:
    """Write down for the rest of this request whose it is."""
    scope[SCOPE_KEY] = (record, directory)


def tenant(request: AnyConnection) -> TenantRecord:
    """The record of the request's host. Without one nothing is answered: a forgotten context fails closed."""
    return _context(request)[0]


def directory_of(request: AnyConnection) -> Directory:
    """The directory that admitted this request."""
    return _context(request)[1]


def seals(request: AnyConnection) -> Vault:
    """What seals the small secrets of this cell's workspaces."""
    return directory_of(request).cell.seals


def pool(request: AnyConnection) -> TenantPool:
    """The pool of the tenant's own database."""
    record, directory = _context(request)
    return directory.pool(record)


def _context(request: AnyConnection) -> tuple[TenantRecord, Directory]:
    scope: Any = request.scope
    context: tuple[TenantRecord, Directory] | None = scope.get(SCOPE_KEY)
    if context is None:
        raise not_found()
    return context
