"""A provider's hidden frame ends a session here: by its name alone, since no cookie of ours comes along."""

from collections.abc import Iterator
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tenant_app.contract import TenantRecord
from tests.sso.places import SECRET, Place, connection, workspace
from tests.sso.providers import signed_in
from tests.workspace.houses import House, Person
from tests.world.chromium import Browser, until
from tests.world.openid import ALICE, BOB, OpenIDProvider, User, Visitor, client, openid_provider

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def places(house: House) -> list[Place]:
    mark = uuid4().hex[:6]
    names = [f"front-{number}-{mark}" for number in range(4)]
    return [Place(name, uuid4(), f"http://{name}.parvis.localhost:{house.port}") for name in names]


@pytest.fixture(scope="module")
def provider(places: list[Place], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIDProvider]:
    clients = []
    for place in places:
        callback = f"{place.origin}/oidc/{place.connection_id}/callback"
        # Registered for the back channel, it names its sessions; an address where nobody is keeps that silent.
        clients.append(client(f"app-{place.address}", SECRET, callback, backchannel_logout_uri="http://127.0.0.1:9/"))
    with openid_provider(tmp_path_factory.mktemp("openid"), clients) as running:
        yield running


def come_in(house: House, record: TenantRecord, place: Place, user: User = ALICE) -> Person:
    person = house.stranger(record)
    with Visitor() as there:
        asked = person.get(place.path, follow_redirects=False).headers["location"]
        back = there.sign_in(asked, user, place.origin)
    person.get(back.removeprefix(place.origin))
    assert signed_in(person)
    return person


def names(house: House, record: TenantRecord) -> list[str]:
    """What the provider calls its sessions here."""
    return [name for (name,) in house.rows(record, "select sso_session from session order by created_at")]


def test_a_frame_of_the_provider_s_page_ends_its_session_and_no_other(
    house: House, provider: OpenIDProvider, places: list[Place], browser: Browser
) -> None:
    place = places[0]
    record = workspace(house, provider, place)
    alice, bob = come_in(house, record, place), come_in(house, record, place, BOB)
    sid, other = names(house, record)
    assert sid != other
    address = f"{place.origin}/oidc/{place.connection_id}/logout?iss={provider.issuer}&sid={sid}"
    page = browser.page()
    signing_out = f"/signing-out?{urlencode({'frame': address})}"
    with page.expect_response(lambda one: one.url == address) as answer:
        page.goto(provider.issuer + signing_out)
    assert answer.value.status == 200
    page.wait_for_load_state()
    assert browser.complaints == [], "the provider's page may frame it"
    assert not signed_in(alice)
    assert signed_in(bob)
    # The control: anybody else's page may not, and to know no name ends nothing.
    page.goto(provider.issuer.replace("127.0.0.1", "localhost") + signing_out)
    until(page, lambda: any("frame-ancestors" in one for one in browser.complaints))
    browser.complaints.clear()
    assert signed_in(bob)


def test_the_frame_needs_the_issuer_and_a_name_of_this_very_connection(
    house: House, provider: OpenIDProvider, places: list[Place]
) -> None:
    place, second, elsewhere = places[1:]
    record = workspace(house, provider, place, connection(provider, second))
    neighbour = workspace(house, provider, elsewhere)
    alice, bob = come_in(house, record, place), come_in(house, neighbour, elsewhere, BOB)
    [sid], [theirs] = names(house, record), names(house, neighbour)
    stranger = house.stranger(record)

    def frame(at: Place = place, whom: Person = stranger, **query: str) -> int:
        return whom.http.get(f"/oidc/{at.connection_id}/logout", params=query).status_code

    assert frame() >= 400
    assert frame(iss=provider.issuer) >= 400, "a page that makes browsers call this ends nobody's session"
    assert frame(sid=sid) >= 400
    assert frame(iss=provider.issuer, sid="") >= 400
    assert frame(iss="https://other.test", sid=sid) >= 400
    assert frame(iss=provider.issuer + "/", sid=sid) >= 400
    # Who guesses cannot tell a living session from none, another connection's or a neighbour's.
    guesses = {"unknown": "guessed", "a neighbour's": theirs}
    for what, name in guesses.items():
        assert frame(iss=provider.issuer, sid=name) == 200, what
    assert frame(second, iss=provider.issuer, sid=sid) == 200
    assert frame(elsewhere, iss=provider.issuer, sid=theirs) == 404
    assert frame(elsewhere, house.stranger(neighbour), iss=provider.issuer, sid=sid) == 200
    assert signed_in(alice)
    assert signed_in(bob)
    ended = "select count(*) from journal where verb = 'account.ended_by_provider'"
    assert house.rows(record, ended) == [(0,)], "guessing fills no journal"
    # The control: the right words end it, in a browser without a cookie of ours.
    assert frame(iss=provider.issuer, sid=sid) == 200
    assert not signed_in(alice)
    assert signed_in(bob)
    assert house.rows(record, ended) == [(1,)]
