"""OpenID Connect by a real provider, npm's oidc-provider, in a real Chromium: in, out on both sides, nobody else."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.sso.places import SECRET, Place, prove, workspace
from tests.sso.providers import signed_in, traces
from tests.workspace.houses import House
from tests.world.chromium import Browser
from tests.world.openid import ALICE, BOB, OpenIDProvider, User, Visitor, client, openid_provider
from tests.world.product import Loopback

pytestmark = pytest.mark.browser
EVE = User("eve@elsewhere.test")
UNSURE = User("unsure@acme.test", claims={"email_verified": False})
PLACES = ("one", "two", "three", "four", "five", "six")


class Relay(BaseHTTPRequestHandler):
    """Node knows no *.localhost: what it tells an address goes through here. The path begins with the host."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        host, _, rest = self.path.lstrip("/").partition("/")
        with httpx.Client(transport=Loopback(), trust_env=False, timeout=60) as http:
            kind = {"Content-Type": self.headers["content-type"]}
            answer = http.post(f"http://{host}/{rest}", content=body, headers=kind)
        self.send_response(answer.status_code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(60)


@pytest.fixture(scope="module")
def places(house: House) -> list[Place]:
    mark = uuid4().hex[:6]
    names = [f"{name}-{mark}" for name in PLACES]
    return [Place(name, uuid4(), f"http://{name}.parvis.localhost:{house.port}") for name in names]


@pytest.fixture(scope="module")
def provider(places: list[Place], relay: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIDProvider]:
    clients = [
        client(
            f"app-{place.address}",
            SECRET,
            f"{place.origin}/oidc/{place.connection_id}/callback",
            post_logout_redirect_uris=[f"{place.origin}/signed-out"],
            backchannel_logout_uri=f"{relay}/{urlsplit(place.origin).netloc}/oidc/{place.connection_id}/logout",
        )
        for place in places
    ]
    with openid_provider(tmp_path_factory.mktemp("openid"), clients, (ALICE, BOB, EVE, UNSURE)) as running:
        yield running


def test_from_the_door_to_the_provider_and_out_on_both_sides(
    house: House, provider: OpenIDProvider, places: list[Place], browser: Browser
) -> None:
    record = workspace(house, provider, places[0])
    page = browser.page(lang="fr")
    page.goto(f"{places[0].origin}/members")
    page.get_by_role("link", name="Continuer avec Acme ID").click()
    prove(page)
    page.wait_for_url(f"{places[0].origin}/members")
    found = house.rows(record, "select name, role from principal where email = %s", ALICE.login)
    assert found == [(ALICE.told()["name"], 2)]
    assert house.rows(record, "select subject from identity_link") == [(ALICE.subject,)]
    kept = house.rows(record, "select sso_data, sso_session from session")[0]
    assert "eyJ" not in str(kept), "the ID token lies sealed"
    # The console asks for a fresh proof where the last is old; the provider asks for the password again.
    house.rows(record, "update session set verified_at = now() - interval '1 hour'")
    page.goto(f"{places[0].origin}/console")
    page.get_by_role("link", name="Continuer avec Acme ID").click()
    page.get_by_label("E-mail").fill(ALICE.login)
    page.get_by_label("Password").fill(ALICE.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{places[0].origin}/console")
    page.get_by_role("button", name="Ouvrir la console").wait_for()
    page.goto(f"{places[0].origin}/account")
    page.locator("button[popovertarget=org]").click()
    page.get_by_role("button", name="Se déconnecter").click()
    page.get_by_role("link", name="Se déconnecter aussi de Acme ID").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{places[0].origin}/signed-out**")
    page.get_by_role("heading", name="Vous êtes déconnecté").wait_for()
    page.goto(places[0].origin + places[0].path)
    page.get_by_label("Password").wait_for()
    assert browser.complaints == []


def test_what_the_provider_ends_by_the_back_channel_is_ended_here_once_and_for_this_person_only(
    house: House, provider: OpenIDProvider, places: list[Place], browser: Browser
) -> None:
    record = workspace(house, provider, places[1])
    alice, bob = browser.page(), browser.page()
    for page, user in ((alice, ALICE), (bob, BOB)):
        page.goto(places[1].origin + places[1].path)
        prove(page, user)
        page.wait_for_url(f"{places[1].origin}/")
    assert house.rows(record, "select count(*) from session") == [(2,)]
    alice.goto(f"{provider.issuer}/session/end")
    alice.get_by_role("button", name="Sign out").click()
    assert provider.said(f"told app-{places[1].address}")
    assert house.rows(record, "select email from principal p join session s on s.principal_id = p.id") == [(BOB.login,)]
    alice.goto(f"{places[1].origin}/account")
    assert "/sign-in" in alice.url
    bob.goto(f"{places[1].origin}/account")
    assert bob.url.endswith("/account")
    # Nobody else may say so.
    stranger = house.stranger(record)
    for token in ("", "e30.e30.", "nonsense"):
        answer = stranger.http.post(f"/oidc/{places[1].connection_id}/logout", data={"logout_token": token})
        assert 400 <= answer.status_code < 500
    assert house.rows(record, "select count(*) from session") == [(1,)]


def test_an_answer_ends_in_the_browser_that_began_once(
    house: House, provider: OpenIDProvider, places: list[Place]
) -> None:
    record = workspace(house, provider, places[2])
    mallory, victim = house.stranger(record), house.stranger(record)
    with Visitor() as there:
        asked = mallory.get(places[2].path, follow_redirects=False).headers["location"]
        back = there.sign_in(asked, BOB, places[2].origin)
        path = back.removeprefix(places[2].origin)
        answer = victim.get(path)
        assert answer.status_code == 403
        assert "begun in another browser" in answer.text
        assert not signed_in(victim)
        # The control: her own browser ends it; and once.
        assert mallory.get(path).url.path == "/"
        assert mallory.get(path).status_code == 403
        # The victim's own flow takes no code of hers either.
        asked = mallory.get(places[2].path, follow_redirects=False).headers["location"]
        back = there.sign_in(asked, BOB, places[2].origin)
        own = victim.get(places[2].path, follow_redirects=False).headers["location"]
        query = dict(part.split("=", 1) for part in urlsplit(back).query.split("&"))
        state = dict(part.split("=", 1) for part in urlsplit(own).query.split("&"))["state"]
        refused = victim.get(
            f"/oidc/{places[2].connection_id}/callback",
            params={"code": query["code"], "state": state, "iss": provider.issuer},
        )
        assert refused.status_code >= 400
        assert not signed_in(victim)
    assert traces(house, record)[-1]["outcome"].startswith("oidc_")


def test_another_tenant_s_answer_of_the_same_provider_opens_nothing(
    house: House, provider: OpenIDProvider, places: list[Place]
) -> None:
    record, other = workspace(house, provider, places[3]), workspace(house, provider, places[4])
    person, stranger = house.stranger(record), house.stranger(other)
    with Visitor() as there:
        asked = stranger.get(places[4].path, follow_redirects=False).headers["location"]
        back = there.sign_in(asked, ALICE, places[4].origin).removeprefix(places[4].origin)
    assert person.get(back).status_code == 404
    mine = back.replace(str(places[4].connection_id), str(places[3].connection_id))
    assert person.get(mine).status_code == 403
    assert not signed_in(person)
    assert stranger.get(back).url.path == "/"


def test_who_may_not_come_in_reads_why(house: House, provider: OpenIDProvider, places: list[Place]) -> None:
    record = workspace(house, provider, places[5])
    for user, words in ((EVE, "has not proven"), (UNSURE, "is not verified")):
        person = house.stranger(record)
        with Visitor() as there:
            asked = person.get(places[5].path, follow_redirects=False).headers["location"]
            back = there.sign_in(asked, user, places[5].origin)
        answer = person.get(back.removeprefix(places[5].origin))
        assert answer.status_code == 403
        assert words in answer.text
    # Who changes his mind at the provider comes back to words, not to a fault.
    person = house.stranger(record)
    asked = person.get(places[5].path, follow_redirects=False).headers["location"]
    with Visitor() as there:
        _, page = there.follow(there.http.get(asked), places[5].origin)
        _, page = there.submit(page, places[5].origin, email=BOB.login, password=BOB.password)
        found, _ = there.submit(page, places[5].origin, allow="no")
    assert found is not None
    answer = person.get(found.removeprefix(places[5].origin))
    assert answer.status_code in {403, 422}
    assert "You could not be signed in" in answer.text


def test_a_provider_that_is_away_is_told_apart(house: House, places: list[Place]) -> None:
    away = OpenIDProvider("http://127.0.0.1:9", None, None)  # type: ignore[arg-type]
    place = Place(f"away-{uuid4().hex[:6]}", uuid4(), "")
    record = workspace(house, away, place)
    answer = house.stranger(record).get(place.path)
    assert answer.status_code in {422, 503}
    assert "You could not be signed in" in answer.text
    assert traces(house, record)[0]["refusal"]
    assert places
