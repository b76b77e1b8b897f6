"""Providers and keys are remembered: new keys are found, and nobody can make us fetch without end."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from joserfc.jwk import RSAKey

from kit.errors import Refusal
from kit.openid import Claims, Keys, Providers, begin, finish, finish_now
from kit.openid.remembered import FRESH_SECONDS, GAP_SECONDS, KEPT_SECONDS, Remembered
from tests.openid.driving import FETCHER, client_of, visit
from tests.openid.op import OTHER_RSA, RSA, SUBJECT, Op, Scene, public


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def sign_in(providers: Providers, scene: Scene) -> Claims:
    provider, keys = await providers.get(scene.issuer)
    client = client_of(scene)
    begun = begin(provider, client)
    query = await asyncio.to_thread(visit, begun.url)
    return await finish(FETCHER, provider, keys, client, begun, query=query, now=datetime.now(UTC))


def test_a_second_sign_in_fetches_neither_document_nor_keys(op: Op) -> None:
    scene = op.scene()

    async def twice() -> None:
        providers = Providers(FETCHER)
        await sign_in(providers, scene)
        await sign_in(providers, scene)

    asyncio.run(twice())
    assert scene.seen.count(".well-known/openid-configuration") == 1
    assert scene.seen.count("keys") == 1
    assert scene.seen.count("token") == 2


def test_a_key_changed_without_notice_is_found_by_its_name(op: Op) -> None:
    scene, clock = op.scene(), Clock()

    async def around_a_change() -> None:
        providers = Providers(FETCHER, clock=clock)
        await sign_in(providers, scene)
        clock.now += GAP_SECONDS
        scene.keys, scene.key = [public(OTHER_RSA, "two")], OTHER_RSA
        scene.header["kid"] = "two"
        assert (await sign_in(providers, scene)).subject == SUBJECT

    asyncio.run(around_a_change())
    assert scene.seen.count("keys") == 2


def test_a_hundred_tokens_with_invented_keys_cause_one_fetch_a_minute(op: Op) -> None:
    scene, clock = op.scene(), Clock()

    async def invented(keys: Keys, name: str) -> None:
        with pytest.raises(Refusal) as refused:
            await keys.fitting(name, "RS256")
        assert refused.value.code == "oidc_key_unknown"

    async def flood() -> None:
        keys = Keys(FETCHER, scene.discovery["jwks_uri"], clock=clock)
        await keys.fitting("one", "RS256")
        clock.now += GAP_SECONDS
        await asyncio.gather(*[invented(keys, f"k{n}") for n in range(100)])
        assert scene.seen.count("keys") == 2
        # And who has a good key is not hindered.
        assert len(await keys.fitting("one", "RS256")) == 1

    asyncio.run(flood())


def test_the_control_without_the_pause_each_invented_key_would_cause_a_fetch(op: Op) -> None:
    scene, clock = op.scene(), Clock()

    async def flood() -> None:
        keys = Keys(FETCHER, scene.discovery["jwks_uri"], clock=clock)
        for n in range(20):
            clock.now += GAP_SECONDS
            with pytest.raises(Refusal):
                await keys.fitting(f"k{n}", "RS256")

    asyncio.run(flood())
    assert scene.seen.count("keys") == 20


def test_people_sign_in_while_the_provider_s_documents_are_away_for_a_day_at_most(op: Op) -> None:
    scene, clock = op.scene(), Clock()

    async def a_bad_day() -> None:
        providers = Providers(FETCHER, clock=clock)
        await sign_in(providers, scene)
        for place in (".well-known/openid-configuration", "keys"):
            scene.raw[place] = (503, {}, b"")
        clock.now += FRESH_SECONDS + 1
        assert (await sign_in(providers, scene)).subject == SUBJECT
        clock.now += KEPT_SECONDS
        with pytest.raises(Refusal) as refused:
            await sign_in(providers, scene)
        assert refused.value.code == "status_unexpected"
        scene.raw.clear()
        clock.now += GAP_SECONDS
        assert (await sign_in(providers, scene)).subject == SUBJECT

    asyncio.run(a_bad_day())


def test_a_key_withdrawn_is_not_believed_after_an_hour(op: Op) -> None:
    scene, clock = op.scene(), Clock()
    lost = RSAKey.generate_key(2048)

    async def withdrawn() -> None:
        providers = Providers(FETCHER, clock=clock)
        scene.keys = [public(RSA, "one"), public(lost, "lost")]
        await sign_in(providers, scene)
        scene.keys = [public(RSA, "one")]
        clock.now += FRESH_SECONDS + 1
        scene.header["kid"], scene.key = "lost", lost
        with pytest.raises(Refusal) as refused:
            await sign_in(providers, scene)
        assert refused.value.code == "oidc_key_unknown"

    asyncio.run(withdrawn())


def counted(*, fail: bool, answered: asyncio.Event) -> tuple[list[int], Callable[[], Awaitable[int]]]:
    """What counts its calls, and answers each once it may."""
    calls: list[int] = []

    async def fetch() -> int:
        calls.append(1)
        await answered.wait()
        if fail:
            raise Refusal("too_slow", "x")
        return 7

    return calls, fetch


async def turns() -> None:
    """Every task that can goes on to where it must wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_crowd_before_the_first_answer_causes_one_fetch() -> None:
    async def crowd(*, fail: bool) -> list[int]:
        answered = asyncio.Event()
        calls, fetch = counted(fail=fail, answered=answered)
        remembered = Remembered(fetch, Clock())
        waiting = [asyncio.create_task(remembered.get()) for _ in range(50)]
        await turns()
        assert not any(one.done() for one in waiting)
        answered.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in found} == ({Refusal} if fail else {int})
        return calls

    assert len(asyncio.run(crowd(fail=False))) == 1
    assert len(asyncio.run(crowd(fail=True))) == 1


def test_who_leaves_while_it_is_fetched_leaves_no_trouble_behind() -> None:
    async def leave() -> None:
        answered = asyncio.Event()
        calls, fetch = counted(fail=False, answered=answered)
        remembered = Remembered(fetch, Clock())
        first = asyncio.create_task(remembered.get())
        await turns()
        assert len(calls) == 1
        first.cancel()
        await turns()
        answered.set()
        assert await remembered.get() == 7
        assert len(calls) == 2

    asyncio.run(leave())


def test_synchronous_callers_share_what_is_remembered(op: Op) -> None:
    scene = op.scene()
    providers = Providers(FETCHER)
    for _ in range(2):
        provider, keys = providers.get_now(scene.issuer)
        client = client_of(scene)
        begun = begin(provider, client)
        query = visit(begun.url)
        found = finish_now(FETCHER, provider, keys, client, begun, query=query, now=datetime.now(UTC))
        assert found.subject == SUBJECT
    assert scene.seen.count("keys") == 1
