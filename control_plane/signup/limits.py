"""How many requests one network, mailbox or mail domain may make: counted in rows, so that every process agrees."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from control_plane.signup.domains import PUBLIC, domain_of, is_within
from control_plane.signup.models import SignupRequest
from kit.errors import Refusal

WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Limits:
    """Requests within an hour."""

    network: int = 20
    email: int = 4
    domain: int = 30
    public_domain: int = 500


LIMITS = Limits()


def network_of(ip: str) -> str:
    """What counts as one network: an IPv4 address, or the /64 that an IPv6 address lies in."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip[:45]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def check_limits(session: Session, ip: str, email: str, limits: Limits = LIMITS) -> None:
    """Refuse with 429 and the time to wait. Requests of one network, mailbox or domain are counted one by one."""
    network, domain = network_of(ip), domain_of(email)
    at_domain = limits.public_domain if is_within(domain, PUBLIC) else limits.domain
    counted: list[tuple[str, ColumnElement[bool], int]] = [
        (f"network {network}", SignupRequest.ip == network, limits.network),
        (f"email {email.lower()}", func.lower(SignupRequest.email) == email.lower(), limits.email),
        (f"domain {domain}", func.split_part(func.lower(SignupRequest.email), "@", 2) == domain, at_domain),
    ]
    # Always in the same order, so that two requests cannot wait for each other.
    for name, _, _ in counted:
        session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 7))"), {"name": name})
    for _, matches, most in counted:
        _check(session, matches, most)


def _check(session: Session, matches: ColumnElement[bool], most: int) -> None:
    since = datetime.now(UTC) - WINDOW
    query = (
        select(SignupRequest.created_at)
        .where(matches, SignupRequest.created_at > since)
        .order_by(SignupRequest.created_at.desc())
        .offset(most - 1)
        .limit(1)
    )
    oldest = session.scalar(query)
    if oldest is None:
        return
    wait = max(1, int((oldest + WINDOW - datetime.now(UTC)).total_seconds()))
    raise Refusal(
        "too_many_requests",
        "Several requests came from you within the hour, so we pause for a while. Look for our mail, or try again in"
        " {minutes} min.",
        status=429,
        minutes=-(-wait // 60),
        retry_after=wait,
    )
