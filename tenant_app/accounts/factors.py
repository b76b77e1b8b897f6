"""Passkeys, and one-time codes beside a password."""

import base64
import json
import re
from uuid import UUID

from kit.credentials import (
    Ceremony,
    authentication_options,
    credential_id_of,
    matching_step,
    registration_options,
    verify_authentication,
    verify_registration,
)
from kit.errors import Refusal
from kit.vault import Vault
from tenant_app.accounts import attempts, credentials, people
from tenant_app.accounts.journal import record as journal
from tenant_app.accounts.people import Person
from tenant_app.interface import Viewer
from tenant_app.tenancy import Connection, TenantRecord

MOST_PASSKEYS = 20
CODE_TRIES = 5
CHALLENGES = 60
BASE32 = re.compile(r"[A-Z2-7]{32}")


def passkey_refused() -> Refusal:
    """Unknown, not asked for, or not his: the same answer."""
    return Refusal("passkey_refused", "This passkey was not accepted. Try again, or use another way.", field="passkey")


def _challenge_in(answer: str) -> bytes:
    """The challenge an answer claims to solve; whether we asked it is looked up."""
    try:
        client = json.loads(answer)["response"]["clientDataJSON"]
        said = json.loads(base64.urlsafe_b64decode(client + "=" * (-len(client) % 4)))["challenge"]
        return base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))
    except (ValueError, KeyError, TypeError) as error:
        raise passkey_refused() from error


async def ask_to_register(conn: Connection, record: TenantRecord, viewer: Viewer, rp_id: str) -> Ceremony:
    """What the browser needs to make a new passkey for this person."""
    known = [c.handle for c in await credentials.of(conn, viewer.id) if c.kind == credentials.PASSKEY and c.handle]
    if len(known) >= MOST_PASSKEYS:
        raise Refusal("passkeys_many", "You have {most} passkeys. Remove one first.", status=409, most=MOST_PASSKEYS)
    asked = registration_options(
        rp_id=rp_id,
        rp_name=record.name,
        user_id=viewer.id.bytes,
        user_name=viewer.email,
        display_name=viewer.name,
        known=known,
    )
    await attempts.issue(conn, f"passkey of {viewer.id}", asked.challenge.hex())
    return asked


async def register(conn: Connection, viewer: Viewer, answer: str, *, origin: str, rp_id: str, name: str) -> UUID:
    """Keep the passkey that the browser made."""
    challenge = _challenge_in(answer)
    if not await attempts.redeem(conn, f"passkey of {viewer.id}", challenge.hex()):
        raise passkey_refused()
    made = verify_registration(answer, challenge=challenge, origin=origin, rp_id=rp_id)
    if await credentials.by_handle(conn, made.credential_id, credentials.PASSKEY) is not None:
        raise passkey_refused()
    kept = await credentials.add(
        conn,
        viewer.id,
        credentials.PASSKEY,
        handle=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        transports=",".join(made.transports)[:80] or None,
        name=name[:80],
    )
    await journal(conn, viewer.id, "account.passkey_added", viewer.id, name=name[:80])
    return kept


async def ask_to_sign_in(conn: Connection, rp_id: str, ip: str) -> Ceremony:
    """What the browser needs to sign in with any passkey it keeps for this host."""
    if (await attempts.count(conn, "challenges", ip, allowed=CHALLENGES)).count > CHALLENGES:
        raise Refusal("too_many_requests", "Too many tries. Wait ten minutes.", status=429)
    asked = authentication_options(rp_id=rp_id)
    await attempts.issue(conn, "passkey sign-in", asked.challenge.hex())
    return asked


async def sign_in(conn: Connection, answer: str, *, origin: str, rp_id: str) -> Person:
    """The person whose passkey solved our challenge, once."""
    challenge = _challenge_in(answer)
    if not await attempts.redeem(conn, "passkey sign-in", challenge.hex()):
        raise passkey_refused()
    stored = await credentials.by_handle(conn, credential_id_of(answer), credentials.PASSKEY)
    if stored is None or stored.public_key is None:
        raise passkey_refused()
    count = verify_authentication(
        answer,
        challenge=challenge,
        origin=origin,
        rp_id=rp_id,
        public_key=stored.public_key,
        sign_count=stored.sign_count,
    )
    person = await people.by_id(conn, stored.principal_id)
    if person is None or person.disabled_at is not None:
        raise passkey_refused()
    await credentials.used(conn, stored.id, count)
    return person


def code_wrong() -> Refusal:
    """Wrong, or used before."""
    return Refusal("code_wrong", "This code is not the one shown now. Wait for the next one and type it.", field="code")


def _purpose(person: UUID) -> str:
    return f"codes:{person}"


async def start_codes(conn: Connection, seals: Vault, person: UUID, secret: str, code: str) -> None:
    """Ask for one-time codes from now on, once a first one was typed right. Their secret is kept sealed."""
    step = matching_step(secret, code, after=0) if BASE32.fullmatch(secret) else None
    if step is None:
        raise code_wrong()
    await credentials.drop_kind(conn, person, credentials.CODES)
    await credentials.add(conn, person, credentials.CODES, secret=seals.seal(secret, _purpose(person)), sign_count=step)
    await journal(conn, person, "account.codes_started", person)


async def stop_codes(conn: Connection, person: UUID) -> None:
    """Ask for codes no more."""
    await credentials.drop_kind(conn, person, credentials.CODES)
    await journal(conn, person, "account.codes_stopped", person)


async def count_code(conn: Connection, person: UUID) -> None:
    """One more try with a code; commit it before looking at the code."""
    if (await attempts.count(conn, "code", str(person), allowed=CODE_TRIES)).count > CODE_TRIES:
        raise Refusal(
            "codes_paused", "Too many tries. Wait {minutes} minutes.", field="code", status=429,
            minutes=attempts.PAUSE_MINUTES,
        )  # fmt: skip


async def check_code(conn: Connection, seals: Vault, person: UUID, code: str) -> None:
    """The code shown now, once."""
    stored = await credentials.one(conn, person, credentials.CODES)
    if stored is None or stored.secret is None:
        raise code_wrong()
    step = matching_step(seals.open(stored.secret, _purpose(person)), code, after=stored.sign_count)
    if step is None:
        raise code_wrong()
    await credentials.used(conn, stored.id, step)
    await attempts.forget(conn, "code", str(person))


async def has_codes(conn: Connection, person: UUID) -> bool:
    """Whether he is asked for a code after his password."""
    return await credentials.one(conn, person, credentials.CODES) is not None


async def drop(conn: Connection, viewer: Viewer, key: UUID) -> None:
    """Remove a passkey; the last way to sign in stays."""
    have = await credentials.of(conn, viewer.id)
    ways = [c for c in have if c.kind in (credentials.PASSWORD, credentials.PASSKEY)]
    mine = next((c for c in ways if c.id == key and c.kind == credentials.PASSKEY), None)
    if mine is None:
        return
    if len(ways) == 1:
        raise Refusal("last_way_in", "This is your only way to sign in. Choose a password first.", status=409)
    await credentials.drop(conn, viewer.id, key)
    await journal(conn, viewer.id, "account.passkey_removed", viewer.id, name=mine.name)
