"""Signing in by password, choosing one, and the mailed link for who forgot it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from kit.credentials import (
    check_password,
    hash_password_async,
    needs_rehash,
    new_token,
    token_hash,
    verify_password_async,
)
from kit.errors import Refusal
from tenant_app.accounts import attempts, credentials, people, policies, sessions
from tenant_app.accounts.attempts import CLIENT_TRIES, PASSWORD_TRIES, PAUSE_MINUTES
from tenant_app.accounts.journal import record as journal
from tenant_app.accounts.outbox import mail_later
from tenant_app.accounts.people import Person, normal_email
from tenant_app.tenancy import Connection, TenantRecord

Open = Callable[[], AbstractAsyncContextManager[tuple[TenantRecord, Connection]]]
RESET_LIFE = timedelta(hours=1)
RESETS = 3


def paused() -> Refusal:
    """Too many wrong tries; known and unknown addresses answer alike."""
    return Refusal(
        "sign_in_paused",
        "Too many tries. Sign-in with this password is paused for {minutes} minutes; a passkey still works.",
        field="password",
        status=429,
        minutes=PAUSE_MINUTES,
    )


def wrong(left: int) -> Refusal:
    """E-mail or password is wrong; which one is not told."""
    if left <= 0:
        return paused()
    message = (
        "E-mail or password is wrong. {left} tries are left before a pause of {minutes} minutes."
        if left > 1
        else "E-mail or password is wrong. One try is left before a pause of {minutes} minutes."
    )
    params = {"left": left, "minutes": PAUSE_MINUTES} if left > 1 else {"minutes": PAUSE_MINUTES}
    return Refusal("sign_in_wrong", message, field="password", status=422, **params)


async def sign_in(open_tenant: Open, email: str, password: str, ip: str) -> Person:
    """The person behind e-mail and password. The try is committed before the password is looked at."""
    email = normal_email(email)
    async with open_tenant() as (record, conn):
        client = await attempts.count(conn, "client", ip, allowed=CLIENT_TRIES)
        tries = await attempts.count(conn, "password", email, allowed=PASSWORD_TRIES)
        person = await people.by_email(conn, email)
        stored = await credentials.one(conn, person.id, credentials.PASSWORD) if person else None
    if client.count > CLIENT_TRIES or tries.count > PASSWORD_TRIES:
        raise paused()
    matches = await verify_password_async(stored.secret if stored else None, password)
    if not matches or (person is not None and person.disabled_at is not None):
        person = None
    provider = policies.enforcing(record, email)
    if provider is not None and (person is None or person.id not in record.identity.policy.break_glass):
        # Right or wrong, known or unknown: the same answer.
        raise policies.by_organisation(provider)
    if person is None or stored is None:
        raise wrong(PASSWORD_TRIES - tries.count)
    fresh = await hash_password_async(password) if needs_rehash(stored.secret or "") else None
    async with open_tenant() as (_, conn):
        await attempts.forget(conn, "password", email)
        await attempts.forget(conn, "client", ip)
        await credentials.used(conn, stored.id)
        if fresh:
            await credentials.replace_secret(conn, stored.id, fresh)
    return person


async def hashed(password: str, repeated: str | None, *, person: Person, organisation: str) -> str:
    """The hash of a password that this person may have; a Refusal says what is wrong with it."""
    check_password(password, email=person.email or "", name=person.name, organisation=organisation)
    if repeated is not None and repeated != password:
        raise Refusal("password_differs", "The two passwords differ. Type the same one twice.", field="repeated")
    return await hash_password_async(password)


async def set_password(conn: Connection, person: UUID, secret: str) -> None:
    """This is his password from now on; mailed links to choose one are void."""
    await credentials.drop_kind(conn, person, credentials.PASSWORD)
    await credentials.drop_kind(conn, person, credentials.RESET)
    await credentials.add(conn, person, credentials.PASSWORD, secret=secret)
    await journal(conn, person, "account.password_set", person)


async def ask_reset(conn: Connection, record: TenantRecord, email: str, base_url: str) -> None:
    """Mail a link that lets this person choose a password; nobody can tell whether there is such a person."""
    email = normal_email(email)
    tries = await attempts.count(conn, "reset", email, allowed=RESETS)
    person = await people.by_email(conn, email)
    if person is None or person.disabled_at is not None or tries.count > RESETS:
        return
    if policies.enforcing(record, email) and person.id not in record.identity.policy.break_glass:
        # No password of his would open anything.
        return
    token = new_token()
    await credentials.drop_kind(conn, person.id, credentials.RESET)
    await credentials.add(conn, person.id, credentials.RESET, handle=token_hash(token))
    await mail_later(
        conn,
        record,
        "password_reset",
        email,
        person.locale,
        name=person.name,
        organisation=record.name,
        url=f"{base_url}/reset?token={token}",
    )


def reset_void() -> Refusal:
    """Used, replaced, or older than an hour: the same answer."""
    return Refusal("reset_void", "This link was already used, or its hour has passed. Ask for a new one.", status=410)


async def person_of_reset(conn: Connection, token: str) -> Person:
    """Who may choose a new password by this link."""
    found = await credentials.by_handle(conn, token_hash(token), credentials.RESET)
    if found is None or found.created_at < datetime.now(UTC) - RESET_LIFE:
        raise reset_void()
    person = await people.by_id(conn, found.principal_id)
    if person is None or person.disabled_at is not None:
        raise reset_void()
    return person


async def reset(open_tenant: Open, token: str, password: str, repeated: str) -> Person:
    """Choose a new password by a mailed link: all sessions of the person end."""
    async with open_tenant() as (record, conn):
        person = await person_of_reset(conn, token)
        provider = policies.enforcing(record, person.email or "")
        if provider is not None and person.id not in record.identity.policy.break_glass:
            # A link of before: it would choose a password that is good for nothing, until a rule is loosened.
            raise policies.by_organisation(provider)
    secret = await hashed(password, repeated, person=person, organisation=record.name)
    async with open_tenant() as (_, conn):
        # Asked again under the row's lock: two that come at once leave one winner.
        person = await person_of_reset(conn, token)
        await set_password(conn, person.id, secret)
        await sessions.close_others(conn, person.id)
        await attempts.forget(conn, "password", person.email or "")
    return person
