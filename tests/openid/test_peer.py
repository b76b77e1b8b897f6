"""Sign-in and sign-out at a real provider that others wrote, by HTTP, through its pages."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from kit.errors import Refusal
from kit.fetching import Fetcher
from kit.openid import (
    Begun,
    Claims,
    Client,
    Keys,
    Provider,
    begin,
    check_logout_token_now,
    discover_now,
    end_session,
    finish_now,
)
from tests.openid.op import SECRET
from tests.world.back_channel import back_channel
from tests.world.openid import ALICE, BOB, OpenIDProvider, User, Visitor, client, openid_provider

OWN = Fetcher(allow_private=True, seconds=60.0)
CALLBACK = "https://acme.parvis.test/oidc/callback"
BACK = "https://acme.parvis.test/signed-out"
SCOPES = ("openid", "email", "profile", "groups")


@pytest.fixture(scope="module")
def posted() -> Iterator[tuple[str, list[str]]]:
    with back_channel() as opened:
        yield opened


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory, posted: tuple[str, list[str]]) -> Iterator[OpenIDProvider]:
    more = {"backchannel_logout_uri": posted[0], "post_logout_redirect_uris": [BACK]}
    clients = [
        client("basic", SECRET, CALLBACK, **more),
        client("post", SECRET, CALLBACK, token_endpoint_auth_method="client_secret_post"),
        client("public", None, CALLBACK),
        client("es256", SECRET, CALLBACK, id_token_signed_response_alg="ES256"),
    ]
    with openid_provider(tmp_path_factory.mktemp("openid"), clients) as running:
        yield running


class Application:
    """We, at the provider."""

    def __init__(self, issuer: str, client_id: str = "basic", method: str = "client_secret_basic") -> None:
        self.provider: Provider = discover_now(OWN, issuer)
        self.keys = Keys(OWN, self.provider.jwks_uri)
        secret = None if method == "none" else SECRET
        self.client = Client(client_id, CALLBACK, secret, method, SCOPES)  # type: ignore[arg-type]

    def begin(self, **more: object) -> Begun:
        return begin(self.provider, self.client, **more)  # type: ignore[arg-type]

    def finish(self, begun: Begun, url: str) -> Claims:
        query = dict(parse_qsl(urlsplit(url).query))
        now = datetime.now(UTC)
        return finish_now(OWN, self.provider, self.keys, self.client, begun, query=query, now=now)

    def sign_in(self, visitor: Visitor, user: User, **more: object) -> Claims:
        begun = self.begin(**more)
        return self.finish(begun, visitor.sign_in(begun.url, user, CALLBACK))


@pytest.mark.parametrize(
    ("client_id", "method"),
    [
        ("basic", "client_secret_basic"),
        ("post", "client_secret_post"),
        ("public", "none"),
        ("es256", "client_secret_basic"),
    ],
)
def test_people_sign_in_at_a_real_provider(peer: OpenIDProvider, client_id: str, method: str) -> None:
    with Visitor() as visitor:
        found = Application(peer.issuer, client_id, method).sign_in(visitor, ALICE)
    assert (found.subject, found.issuer) == (ALICE.subject, peer.issuer)
    assert (found.values["email"], found.values["groups"]) == ("alice@acme.test", ["staff", "admins"])


def test_a_provider_that_tells_by_userinfo_only_is_asked_there(tmp_path: object) -> None:
    with (
        openid_provider(tmp_path, [client("basic", SECRET, CALLBACK)], conform=True) as strict,  # type: ignore[arg-type]
        Visitor() as visitor,
    ):
        found = Application(strict.issuer).sign_in(visitor, BOB)
    assert (found.values["email"], found.values["groups"]) == ("bob@acme.test", ["staff"])


def test_a_fresh_sign_in_is_asked_and_proven(peer: OpenIDProvider) -> None:
    application = Application(peer.issuer)
    with Visitor() as visitor:
        application.sign_in(visitor, ALICE)
        found = application.sign_in(visitor, ALICE, prompt="login", max_age=0, login_hint=ALICE.login)
    assert found.values["auth_time"] > datetime.now(UTC).timestamp() - 60


def test_a_code_is_good_once_and_for_its_own_sign_in(peer: OpenIDProvider) -> None:
    application = Application(peer.issuer)
    with Visitor() as visitor:
        begun = application.begin()
        url = visitor.sign_in(begun.url, ALICE, CALLBACK)
        application.finish(begun, url)
        with pytest.raises(Refusal) as twice:
            application.finish(begun, url)
        assert twice.value.code == "oidc_code_refused"
        one, other = application.begin(), application.begin()
        url = visitor.sign_in(one.url, ALICE, CALLBACK)
        with pytest.raises(Refusal) as mixed:
            application.finish(other, url)
        assert mixed.value.code == "oidc_state"
        # Who stole a code and its state still lacks what proves that he began it.
        stolen = Begun("", one.state, one.nonce, other.verifier)
        with pytest.raises(Refusal) as without_proof:
            application.finish(stolen, url)
        assert without_proof.value.code == "oidc_code_refused"


def test_who_refuses_at_the_provider_is_told_so(peer: OpenIDProvider) -> None:
    application = Application(peer.issuer, "post", "client_secret_post")
    begun = application.begin(prompt="consent")
    with Visitor() as visitor, pytest.raises(Refusal) as refused:
        application.finish(begun, visitor.sign_in(begun.url, BOB, CALLBACK, allow="no"))
    assert refused.value.code == "oidc_denied"
    assert "The person refused" in str(refused.value)


def test_a_wrong_secret_is_named_as_such(peer: OpenIDProvider) -> None:
    application = Application(peer.issuer)
    application.client = Client("basic", CALLBACK, "of yesterday", "client_secret_basic", SCOPES)
    begun = application.begin()
    with Visitor() as visitor, pytest.raises(Refusal) as refused:
        application.finish(begun, visitor.sign_in(begun.url, ALICE, CALLBACK))
    assert refused.value.code == "oidc_client"
    assert "of yesterday" not in str(refused.value)


def test_signing_out_ends_the_session_there_and_the_provider_tells_so(
    peer: OpenIDProvider, posted: tuple[str, list[str]]
) -> None:
    application = Application(peer.issuer)
    tokens = posted[1]
    tokens.clear()
    with Visitor() as visitor:
        found = application.sign_in(visitor, ALICE)
        url = end_session(application.provider, application.client, found.id_token, BACK)
        assert url is not None
        assert visitor.sign_out(url, BACK).startswith(BACK)
        assert peer.said("told basic")
        told = check_logout_token_now(
            application.provider, application.keys, application.client, tokens[0], now=datetime.now(UTC)
        )
        assert told.sid is not None
        assert (told.subject, told.sid) == (found.subject, found.sid)
        # Signed out there, the next sign-in asks for the password again.
        _, page = visitor.follow(visitor.http.get(application.begin().url), CALLBACK)
        assert 'name="password"' in page.text


def test_its_logout_token_signs_nobody_in_and_its_id_token_signs_nobody_out(
    peer: OpenIDProvider, posted: tuple[str, list[str]]
) -> None:
    application = Application(peer.issuer)
    with Visitor() as visitor:
        found = application.sign_in(visitor, BOB)
    with pytest.raises(Refusal) as refused:
        check_logout_token_now(
            application.provider, application.keys, application.client, found.id_token, now=datetime.now(UTC)
        )
    assert refused.value.code == "oidc_logout_events"


def test_without_leave_for_private_addresses_it_is_not_even_looked_at(peer: OpenIDProvider) -> None:
    async def look() -> None:
        await Fetcher().get(f"{peer.issuer.replace('http:', 'https:')}/.well-known/openid-configuration")

    with pytest.raises(Refusal) as refused:
        asyncio.run(look())
    assert refused.value.code == "address_private"
