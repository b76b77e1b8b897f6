"""Asking name servers for the proof that a domain is an organisation's: a TXT record that only its keeper can set."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import dns.exception
import dns.resolver
from dns.resolver import LifetimeTimeout, NoAnswer, NoNameservers, NoResolverConfiguration

SECONDS = 4.0
MOST_SEEN = 10
LONGEST = 200
CHALLENGE = "_parvis-challenge"
PROOF = "parvis-verification="

Trouble = Literal["no_name", "no_record", "timeout", "failed"]
Resolver = tuple[str, int]


@dataclass(frozen=True)
class Answer:
    """What one name server said. `ok`: the proof is among what it has `seen`.

    `trouble` without any text: there is no such name, or no TXT record at it; the server did not answer in time; it
    answered that it cannot tell.
    """

    resolver: str
    ok: bool
    seen: tuple[str, ...] = ()
    trouble: Trouble | None = None

    @property
    def answered(self) -> bool:
        """Whether it told how things are."""
        return self.trouble not in {"timeout", "failed"}

    def as_json(self) -> dict[str, Any]:
        """The answer as a row keeps it."""
        return {"resolver": self.resolver, "ok": self.ok, "seen": list(self.seen), "trouble": self.trouble}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Answer":
        """The answer out of a row."""
        return cls(kept["resolver"], kept["ok"], tuple(kept["seen"]), kept["trouble"])


def record_name(domain: str) -> str:
    """Where the record is to stand."""
    return f"{CHALLENGE}.{domain}"


def record_value(token: str) -> str:
    """What the record is to say."""
    return f"{PROOF}{token}"


def ask_all(resolvers: Sequence[Resolver], domain: str, token: str) -> tuple[Answer, ...]:
    """What each of these name servers (or the machine's own) says now; they are asked at once, for 4 s at most."""
    asked = list(resolvers) or _of_this_machine()
    with ThreadPoolExecutor(max(1, len(asked)), thread_name_prefix="dns") as threads:
        return tuple(threads.map(lambda one: _ask(one, domain, token), asked))


def _of_this_machine() -> list[Resolver]:
    try:
        return [(str(one), 53) for one in dns.resolver.Resolver().nameservers]
    except NoResolverConfiguration:
        return []


def _ask(resolver: Resolver, domain: str, token: str) -> Answer:
    address, port = resolver
    told = address if port == 53 else f"{address}:{port}" if ":" not in address else f"[{address}]:{port}"
    client = dns.resolver.Resolver(configure=False)
    client.nameservers, client.port, client.lifetime, client.timeout = [address], port, SECONDS, SECONDS / 2
    try:
        found = client.resolve(record_name(domain) + ".", "TXT", search=False)
    except dns.resolver.NXDOMAIN:
        return Answer(told, ok=False, trouble="no_name")
    except NoAnswer:
        return Answer(told, ok=False, trouble="no_record")
    except LifetimeTimeout:
        return Answer(told, ok=False, trouble="timeout")
    except (NoNameservers, dns.exception.DNSException, OSError):
        return Answer(told, ok=False, trouble="failed")
    texts = sorted(b"".join(record.strings).decode("utf-8", "replace").strip() for record in found)
    shown = tuple(_shown(one) for one in texts[:MOST_SEEN])
    return Answer(told, ok=record_value(token) in texts, seen=shown)


def _shown(text: str) -> str:
    return "".join(one if one.isprintable() else "�" for one in text[:LONGEST])


def verdict(answers: Sequence[Answer]) -> bool | None:
    """Whether the proof stands: more than half of the servers see it. None if too few of them answered at all."""
    if 2 * sum(one.ok for one in answers) > len(answers):
        return True
    return False if 2 * sum(one.answered for one in answers) > len(answers) else None
