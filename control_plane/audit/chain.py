"""How events hang together: each digest covers the event and the digest before it, keyed from the vault."""

import hashlib
import hmac
import json
from datetime import UTC
from typing import Any
from uuid import UUID

import msgspec

from control_plane.audit.models import AuditChain, AuditEvent

PLATFORM = "platform"
START = bytes(32)


def chain_name(organisation_id: UUID | None) -> str:
    """The chain of an organisation, or the platform's own."""
    return str(organisation_id) if organisation_id else PLATFORM


def plain(value: Any) -> Any:
    """JSON values that PostgreSQL gives back exactly as they went in (it would turn 1e3 into 1000)."""
    return _steady(msgspec.to_builtins(value, str_keys=True))


def _steady(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_steady(key): _steady(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_steady(item) for item in value]
    return value


def event_digest(key: bytes, event: AuditEvent, before: bytes) -> bytes:
    """HMAC-SHA256 of the event in canonical JSON (sorted keys, no spaces, UTC) after the digest before it."""
    covered = {
        "id": str(event.id),
        "chain": event.chain,
        "seq": event.seq,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "organisation_id": str(event.organisation_id) if event.organisation_id else None,
        "actor": event.actor,
        "verb": event.verb,
        "data": event.data,
    }
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hmac.new(key, b"event\x00" + before + text.encode(), hashlib.sha256).digest()


def head_digest(key: bytes, chain: str, seq: int, last: bytes) -> bytes:
    """The head is keyed too: who cuts the tail cannot write a head that fits the shorter chain."""
    return hmac.new(key, f"head\x00{chain}\x00{seq}\x00".encode() + last, hashlib.sha256).digest()


def head_fits(key: bytes, head: AuditChain, last: bytes) -> bool:
    """Whether the head row speaks of a chain that ends in `last`."""
    return hmac.compare_digest(head.digest, head_digest(key, head.chain, head.seq, last))
