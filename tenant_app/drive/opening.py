"""The bucket of a request's organisation."""

from kit.s3 import Bucket
from tenant_app.accounts import AnyRequest
from tenant_app.drive.store import Stores
from tenant_app.tenancy import directory_of, tenant


def bucket_of(request: AnyRequest) -> Bucket:
    """Opened by the organisation's own key, at its cell's gateway."""
    stores: Stores = request.app.state.stores
    return stores.bucket(directory_of(request).cell, tenant(request))
