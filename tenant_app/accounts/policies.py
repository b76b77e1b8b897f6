"""What an organisation asks of sign-in: whom its identity provider answers for, how long a session lasts, from where.

All of it is evaluated when somebody signs in and again on each request, from the record in memory: a policy that was
tightened, or a connection that was removed, ends sessions with their next request, and nothing must be swept.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from kit.domains import ascii_domain
from kit.errors import Refusal
from tenant_app.accounts import trials
from tenant_app.accounts.sessions import STRONG, Way
from tenant_app.contract import SignInConnection, Stage
from tenant_app.interface import Viewer
from tenant_app.tenancy import TenantRecord

OPEN_STAGES = frozenset({"pilot", "enforced"})


def domain_of(email: str) -> str:
    """The part after the last @, as it is compared: as DNS knows it."""
    domain = email.rpartition("@")[2].strip().lower()
    return ascii_domain(domain) or domain


def stage_of(connection: SignInConnection, now: datetime | None = None) -> Stage:
    """Its stage now: enforcement that no administrator came in by reverts by itself."""
    reverted = trials.reverted(connection, now or datetime.now(UTC))
    return "pilot" if reverted else connection.stage


def connection_of(record: TenantRecord, of: UUID) -> SignInConnection | None:
    """The connection with this id."""
    return next((one for one in record.identity.connections if one.id == of), None)


def offered(record: TenantRecord) -> list[SignInConnection]:
    """Those that somebody may come in by, the enforced ones first."""
    found = [one for one in record.identity.connections if stage_of(one) in OPEN_STAGES]
    return sorted(found, key=lambda one: stage_of(one) != "enforced")


def enforcing(record: TenantRecord, email: str) -> SignInConnection | None:
    """The connection that people of this e-mail's domain must come in by."""
    domain = domain_of(email)
    found = (one for one in record.identity.connections if domain in one.domains and stage_of(one) == "enforced")
    return next(found, None)


def by_organisation(connection: SignInConnection) -> Refusal:
    """The same words whether or not such a person exists."""
    return Refusal(
        "sign_in_by_organisation",
        "Addresses of this domain sign in with {name}. Use its button; no password works here.",
        field="password",
        status=403,
        name=connection.name,
    )


@lru_cache(maxsize=256)
def _networks(networks: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(one, strict=False) for one in networks)


def _inside(ip: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in network for network in _networks(networks))


def require_network(record: TenantRecord, person: UUID, ip: str) -> None:
    """Refuse an address outside the allowed networks; break-glass accounts come from anywhere."""
    policy = record.identity.policy
    if policy.networks and person not in policy.break_glass and not _inside(ip, policy.networks):
        raise Refusal(
            "network_refused",
            "This workspace opens from the organisation's own networks only, and you come from {ip}. Connect to one"
            " of them, or ask an administrator.",
            status=403,
            ip=ip,
        )


def require_way(record: TenantRecord, person: UUID, email: str, way: Way, ip: str) -> None:
    """Refuse a way of signing in that this person may not use here and now."""
    require_network(record, person, ip)
    connection = enforcing(record, email)
    if connection is not None and way != Way.SSO and person not in record.identity.policy.break_glass:
        raise by_organisation(connection)


def _of_open_connection(record: TenantRecord, viewer: Viewer) -> bool:
    connection = None if viewer.connection_id is None else connection_of(record, viewer.connection_id)
    if connection is None or stage_of(connection) not in OPEN_STAGES:
        return False
    return connection.stage != "pilot" or viewer.email in connection.pilot


def outlived(record: TenantRecord, viewer: Viewer) -> bool:
    """Whether this session is older, or longer unused, than the policy allows."""
    policy = record.identity.policy
    limits = ((policy.session_seconds, viewer.age), (policy.idle_seconds, viewer.idle))
    return any(most is not None and spent > timedelta(seconds=most) for most, spent in limits)


def holds(record: TenantRecord, viewer: Viewer) -> bool:
    """Whether this session is still good under the record as it stands."""
    if outlived(record, viewer):
        return False
    if viewer.way == Way.SSO or viewer.connection_id is not None:
        return _of_open_connection(record, viewer)
    return enforcing(record, viewer.email) is None or viewer.id in record.identity.policy.break_glass


def too_weak(record: TenantRecord, viewer: Viewer) -> bool:
    """Whether a second factor is required that this session has not shown."""
    return record.identity.policy.second_factor and viewer.way not in STRONG


def second_factor_needed() -> Refusal:
    """A password alone opens nothing here."""
    return Refusal(
        "second_factor_needed",
        "Your organisation asks for more than a password: use a passkey or a one-time code.",
        status=401,
    )
