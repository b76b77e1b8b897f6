"""Tokens of scripts: shown once, kept as a hash, limited by scope, time and network."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import Actor
from control_plane.identity.models import ApiToken
from kit.errors import Refusal, Refusals, not_found
from kit.ids import new_id

PREFIX = "pv"
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)


class Scope(StrEnum):
    """What a token may do."""

    ORGANISATIONS_READ = "organisations:read"
    ORGANISATIONS_WRITE = "organisations:write"
    OFFERS_READ = "offers:read"
    OFFERS_WRITE = "offers:write"
    CELLS_READ = "cells:read"
    CELLS_WRITE = "cells:write"
    OPERATIONS_READ = "operations:read"
    OPERATIONS_WRITE = "operations:write"
    STORAGE_READ = "storage:read"
    STORAGE_WRITE = "storage:write"
    IDENTITY_READ = "identity:read"
    IDENTITY_WRITE = "identity:write"
    SUPPORT_READ = "support:read"
    SUPPORT_WRITE = "support:write"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    AUDIT_READ = "audit:read"


def issue_token(  # noqa: PLR0917 - what a token is, in the order of its form
    session: Session,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None,
    networks: Iterable[str],
    actor: Actor,
    *,
    asking: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its plaintext `pv_<prefix>_<secret>`, which is never seen again.

    `asking`: the token that asks; it cannot make one that may more than itself, nor one that outlives its owner's word.
    """
    name = name.strip()
    wanted = sorted(set(scopes))
    ranges = _check(name, wanted, expires_at, networks, asking.scopes if asking else None)
    token, plaintext = _make(name, wanted, expires_at, ranges, actor)
    token.owner_id = asking.owner_id if asking else UUID(actor.id) if actor.kind == "staff" and actor.id else None
    session.add(token)
    session.flush()
    audit.record(session, "token.issued", actor=actor, data=_facts(token))
    return token, plaintext


def _make(
    name: str, scopes: list[str], expires_at: datetime | None, networks: list[str], actor: Actor
) -> tuple[ApiToken, str]:
    prefix, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
    token = ApiToken(
        id=new_id(),
        name=name,
        prefix=prefix,
        secret_hash=_hash(secret),
        scopes=scopes,
        networks=networks,
        created_by=actor.name[:200],
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    return token, f"{PREFIX}_{prefix}_{secret}"


def _hash(secret: str) -> bytes:
    # 256 random bits: a plain hash cannot be guessed backwards.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _facts(token: ApiToken) -> dict[str, object]:
    return {
        "token_id": str(token.id),
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "networks": token.networks,
        "expires_at": token.expires_at,
    }


def _check(
    name: str,
    scopes: list[str],
    expires_at: datetime | None,
    networks: Iterable[str],
    ceiling: Collection[str] | None,
) -> list[str]:
    wrong: list[Refusal] = []
    if not 1 <= len(name) <= 80 or "\x00" in name:
        wrong.append(Refusal("name_length", "A token's name has 1 to 80 characters.", field="name"))
    wrong += _wrong_scopes(scopes, ceiling)
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= datetime.now(UTC)):
        wrong.append(Refusal("expiry_past", "The end must lie in the future.", field="expires_at"))
    ranges: list[str] = []
    for text in networks:
        try:
            ranges.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            message = "{network} is not a network such as 192.0.2.0/24."
            wrong.append(Refusal("network_invalid", message, field="networks", network=text.strip()[:60]))
    if wrong:
        raise Refusals(wrong)
    return ranges


def _wrong_scopes(scopes: list[str], ceiling: Collection[str] | None) -> list[Refusal]:
    if not scopes:
        return [
            Refusal("scopes_none", "Choose at least one scope: a token without any can do nothing.", field="scopes")
        ]
    wrong = []
    for scope in scopes:
        if scope not in set(Scope):
            wrong.append(Refusal("scope_unknown", "There is no scope {scope}.", field="scopes", scope=scope[:60]))
        elif ceiling is not None and scope not in ceiling:
            message = "A token cannot give the scope {scope}, which it lacks itself."
            wrong.append(Refusal("scope_beyond", message, field="scopes", status=403, scope=scope))
    return wrong


def authenticate_token(session: Session, plaintext: str, ip: str) -> ApiToken:
    """The token that `plaintext` names and proves, alive and used from where it may be; raises Refusal else.

    Only who shows the right secret learns that a token has ended.
    """
    mark, _, rest = plaintext.partition("_")
    prefix, _, secret = rest.partition("_")
    # No prefix of ours has a NUL, which PostgreSQL would not even take.
    known = select(ApiToken).where(ApiToken.prefix == ("" if "\x00" in prefix else prefix))
    token = session.scalar(known)
    # Compared even with nothing, so that the time of the answer does not tell which prefixes exist.
    stored = token.secret_hash if token else bytes(32)
    if not hmac.compare_digest(stored, _hash(secret)) or token is None or mark != PREFIX:
        raise Refusal("token_unknown", "This token is not known.", status=401)
    now = datetime.now(UTC)
    if token.revoked_at is not None:
        raise Refusal("token_revoked", "This token has been revoked.", status=401)
    if token.expires_at is not None and token.expires_at <= now:
        raise Refusal("token_expired", "This token has expired.", status=401)
    if token.networks and not _within(ip, token.networks):
        raise Refusal("token_network", "This token may not be used from this network.", status=403)
    _note_use(session, token, ip, now)
    return token


def _within(ip: str, networks: list[str]) -> bool:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in networks)


def _note_use(session: Session, token: ApiToken, ip: str, now: datetime) -> None:
    # Once a minute is enough to know, and spares every request a write.
    if token.used_at is None or token.used_at < now - timedelta(minutes=1) or token.used_from != ip:
        noted = update(ApiToken).where(ApiToken.id == token.id).values(used_at=now, used_from=ip[:45])
        session.execute(noted, execution_options={"synchronize_session": False})


def tokens(session: Session) -> list[ApiToken]:
    """All tokens, the latest first, ended ones included."""
    return list(session.scalars(select(ApiToken).order_by(ApiToken.id.desc())))


def token(session: Session, token_id: UUID) -> ApiToken:
    """One token."""
    found = session.get(ApiToken, token_id)
    if found is None:
        raise not_found("token")
    return found


def locked_token(session: Session, token_id: UUID) -> ApiToken:
    """One token, held until the transaction's end."""
    found = session.get(ApiToken, token_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise not_found("token")
    return found


def is_alive(found: ApiToken, now: datetime | None = None) -> bool:
    """Neither revoked nor expired."""
    return found.revoked_at is None and (found.expires_at is None or found.expires_at > (now or datetime.now(UTC)))


def revoke_token(session: Session, token_id: UUID, actor: Actor) -> ApiToken:
    """The token ends now. Doing it twice changes nothing."""
    found = locked_token(session, token_id)
    if found.revoked_at is None:
        found.revoked_at = datetime.now(UTC)
        audit.record(session, "token.revoked", actor=actor, data=_facts(found))
    return found


def rotate_token(
    session: Session, token_id: UUID, actor: Actor, *, overlap: timedelta = OVERLAP, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new token with the same rights; the old one works on for `overlap`, so that no script stands still."""
    old = locked_token(session, token_id)
    now = datetime.now(UTC)
    if not is_alive(old, now):
        raise Refusal("token_ended", "This token has ended: issue a new one.", status=409)
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Refusal("overlap_long", "An overlap is 30 days at most.", field="overlap")
    if expires_at is None and old.expires_at is not None:
        expires_at = now + (old.expires_at - old.created_at)
    fresh, plaintext = _make(old.name, list(old.scopes), expires_at, list(old.networks), actor)
    fresh.replaces_id, fresh.owner_id = old.id, old.owner_id
    old.expires_at = min(old.expires_at or now + overlap, now + overlap)
    session.add(fresh)
    session.flush()
    audit.record(session, "token.rotated", actor=actor, data={**_facts(fresh), "replaces_id": str(old.id)})
    return fresh, plaintext
