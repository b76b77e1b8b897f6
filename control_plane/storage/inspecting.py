"""Whether a Ceph gateway is fit for us. What it can do is asked of it, never concluded from its version."""

from urllib.parse import urlsplit

import msgspec

from control_plane.storage import errors, rows
from control_plane.storage.gateway import Gateway
from control_plane.storage.store import Check
from kit.errors import Unavailable
from kit.s3 import Failure

REACHABLE = "the gateway answers"
RIGHTS = "the administrator's key has its rights"
NEEDED = {"users": "*", "buckets": "*", "metadata": "read"}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _Zone(msgspec.Struct):
    name: str
    realm_id: str = ""


def inspect(gateway: Gateway) -> list[Check]:
    """Everything that can be seen from here. Changes nothing."""
    checks = [encrypted(gateway.endpoint)]
    try:
        with errors.translated():
            return [*checks, *_rights(gateway), _zone(gateway), _accounts(gateway)]
    except Unavailable as gone:
        return [*checks, Check(name=REACHABLE, ok=False, detail=gone.detail)]


def encrypted(endpoint: str) -> Check:
    """Keys travel in addresses: outside this machine they need TLS, or a network that nobody else listens to."""
    parts = urlsplit(endpoint)
    plain = parts.scheme != "https" and parts.hostname not in LOOPBACK
    words = "http: keys and files pass in the clear" if plain else parts.scheme
    return Check(name="the way to the gateway is encrypted", ok=True, detail=words, warning=plain)


def _rights(gateway: Gateway) -> list[Check]:
    try:
        answer = gateway.admin("GET", "user", access_key=gateway.admin_key_id)
    except Failure as failure:
        return [Check(name=REACHABLE, ok=True), Check(name=RIGHTS, ok=False, detail=str(failure))]
    own = msgspec.json.decode(answer, type=rows.User)
    held = {cap.type: cap.perm for cap in own.caps}
    missing = [f"{kind}={perm}" for kind, perm in NEEDED.items() if held.get(kind) not in {"*", perm}]
    hidden = all(not key.secret_key for key in own.keys)
    return [
        Check(name=REACHABLE, ok=True),
        Check(name=RIGHTS, ok=not missing, detail=f"missing: {', '.join(missing)}" if missing else ""),
        Check(
            name="the keys of accounts can be compared",
            ok=True,
            detail="the gateway keeps secrets back; a wrong one would not be seen" if hidden else "",
            warning=hidden,
        ),
    ]


def _zone(gateway: Gateway) -> Check:
    name = "the zone is known"
    try:
        zone = msgspec.json.decode(gateway.admin("GET", "config", type="zone"), type=_Zone)
    except Failure as failure:
        return Check(name=name, ok=True, detail=f"not told, for want of zone=read: {failure}", warning=True)
    return Check(name=name, ok=True, detail=f"{zone.name}, {'in a realm' if zone.realm_id else 'without a realm'}")


def _accounts(gateway: Gateway) -> Check:
    """Newer gateways have accounts above users. We do without; it is good to know which kind this is."""
    try:
        gateway.admin("GET", "account", id="RGW00000000000000000")
    except Failure as failure:
        known = failure.status == 404
    else:
        known = True
    return Check(name="the kind of gateway", ok=True, detail="with accounts" if known else "without accounts")
