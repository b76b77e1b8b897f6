"""Administrators of a Ceph of the tests' own: their keys may be replaced, which the shared one's may not."""

import json
import secrets
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from control_plane.storage import AccessKey
from control_plane.storage.gateway import Gateway
from kit.s3 import Failure

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

RIGHTS = "users=*;buckets=*;metadata=read;zone=read"


def administrator(ceph: "RunningCeph", rights: str = RIGHTS) -> AccessKey:
    """The key of a new administrator."""
    key = AccessKey(f"TEST{secrets.token_hex(6).upper()}", secrets.token_hex(20))
    name = f"admin-{key.key_id.lower()}"
    given = {"access_key": key.key_id, "secret_key": key.secret, "generate_key": "false", "user_caps": rights}
    gateway = Gateway(ceph.endpoint, AccessKey(ceph.admin_key_id, ceph.admin_secret), ca_file=ceph.ca_file)
    gateway.admin("PUT", "user", uid=name, display_name=name, **given)
    gateway.close()
    return key


def works(ceph: "RunningCeph", key: AccessKey) -> bool:
    """Whether the key still administers."""
    gateway = Gateway(ceph.endpoint, key, ca_file=ceph.ca_file)
    with closing(gateway), suppress(Failure):
        gateway.admin("GET", "user", access_key=key.key_id)
        return True
    return False


def keys_of(ceph: "RunningCeph", key: AccessKey) -> int:
    """How many keys the holder of this one has."""
    gateway = Gateway(ceph.endpoint, AccessKey(ceph.admin_key_id, ceph.admin_secret), ca_file=ceph.ca_file)
    with closing(gateway):
        return len(json.loads(gateway.admin("GET", "user", access_key=key.key_id))["keys"])


def settings(ceph: "RunningCeph", key: AccessKey, **others: Any) -> dict[str, Any]:
    """The settings of a cell whose store this is, with the secret in plain."""
    told = ceph.cluster.store_settings()
    return {**told, "admin_key_id": key.key_id, "admin_secret": key.secret, **others}
