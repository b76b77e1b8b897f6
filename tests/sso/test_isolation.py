"""What providers, browsers and forgers can never do. Each refusal has its control: the same, done rightly."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from control_plane.embedded.ports import free_port
from tenant_app.contract import TenantRecord
from tests.sso.providers import DOMAIN, Asked, Paper, asks_out, begin, bring, paper, sign_in, signed_in, traces
from tests.workspace.houses import PASSWORD, House, Person, together
from tests.workspace.routes import handlers
from tests.world.product import Loopback


@contextmanager
def another_worker(house: House) -> Iterator[int]:
    """A second process of the same cell, as behind one edge: its port."""
    other = House(house.cell, house.folder, house.store, free_port(), None, house.key)  # type: ignore[arg-type]
    other.start()
    try:
        other.wait_until_ready()
        yield other.port
    finally:
        other.process.terminate()
        other.process.wait(timeout=60)


def post_to(house: House, record: TenantRecord, port: int, path: str, form: dict[str, str]) -> httpx.Response:
    """The same request, answered by the worker at `port`."""
    with httpx.Client(transport=Loopback(), trust_env=False, timeout=60) as client:
        headers = {"Host": f"{record.hosts[0]}:{house.port}", "Accept": "text/html"}
        return client.post(f"http://{record.hosts[0]}:{port}{path}", data=form, headers=headers)


def test_a_neighbour_s_provider_opens_nothing_here(house: House) -> None:
    ours, theirs = paper(), paper(key="neighbour")
    record, neighbour = house.workspace(identity=ours.identity()), house.workspace(identity=theirs.identity())
    person = house.stranger(record)
    # Signed by the neighbour's key, in its own name and in ours; and by its connection's address on our host.
    asked = begin(person, ours)
    for forged in (
        theirs.answer(house, record, asked, base=ours.base(house, record)),
        Paper(ours.connection, theirs.key, ours.entity_id).answer(house, record, asked),
    ):
        assert bring(person, ours, forged).status_code in {403, 422}
        assert not signed_in(person)
    at_home = theirs.answer(house, neighbour, begin(house.stranger(neighbour), theirs))
    assert bring(person, theirs, at_home).status_code == 404
    assert person.get(f"/sso/{theirs.connection.id}").status_code == 404
    # An answer meant for the neighbour's workspace, where it is right.
    assert bring(person, ours, at_home | {"RelayState": asked.relay_state}).status_code in {403, 422}
    assert not signed_in(person)
    assert house.rows(record, "select count(*) from identity_link")[0][0] == 0
    # The control: each opens its own.
    assert sign_in(person, ours).url.path == "/"
    assert sign_in(house.stranger(neighbour), theirs).url.path == "/"


def test_the_same_subject_of_another_connection_is_another_person(house: House) -> None:
    one, two = paper(), paper(key="second", domains=("second.test",))
    identity = msgspec.structs.replace(one.identity(), connections=(one.connection, two.connection))
    record = house.workspace(identity=identity)
    assert sign_in(house.stranger(record), one).url.path == "/"
    stranger = house.stranger(record)
    assert sign_in(stranger, two, "alice", mail=f"alice@{DOMAIN}").status_code == 403
    assert sign_in(stranger, two, "alice", mail="alice@second.test").url.path == "/"
    assert len({row[0] for row in house.rows(record, "select principal_id from identity_link")}) == 2


def test_a_sign_in_ends_in_the_browser_that_began_it_only(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    mallory, victim = house.stranger(record), house.stranger(record)
    asked = begin(mallory, provider)
    form = provider.answer(house, record, asked, "mallory", mail=f"mallory@{DOMAIN}")
    # Mallory makes the victim's browser post her answer: it is not signed in as her.
    answer = bring(victim, provider, form)
    assert answer.status_code == 403
    assert "begun in another browser" in answer.text
    assert not signed_in(victim)
    # Not either with a cookie of the right name, or one of a flow of its own.
    asked = begin(mallory, provider)
    begin(victim, provider)
    name = next(one.name for one in list(mallory.http.cookies.jar)[::-1] if one.name.startswith("parvis-sso-"))
    victim.http.cookies.set(name, "guessed")
    form = provider.answer(house, record, asked, "mallory", mail=f"mallory@{DOMAIN}")
    assert bring(victim, provider, form).status_code == 403
    assert not signed_in(victim)
    # The control: her own browser ends it.
    asked = begin(mallory, provider)
    form = provider.answer(house, record, asked, "mallory", mail=f"mallory@{DOMAIN}")
    assert bring(mallory, provider, form).url.path == "/"


def test_an_answer_opens_one_session_whichever_worker_it_is_sent_to(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    path = f"/saml/{provider.connection.id}/acs"
    with another_worker(house) as port:
        person = house.stranger(record)
        asked = begin(person, provider)
        form = provider.answer(house, record, asked)
        assert bring(person, provider, form).url.path == "/"
        fresh = begin(person, provider)
        for at in (house.port, port):
            assert post_to(house, record, at, path, form).status_code == 403
            # Under the name of a living flow it is still the old assertion.
            again = post_to(house, record, at, path, form | {"RelayState": fresh.relay_state})
            assert again.status_code in {403, 422}
        # Many at once, at both: one goes on.
        asked = begin(person, provider)
        form = provider.answer(house, record, asked)
        ports = [house.port, port] * 4
        answers = together([lambda at=at: post_to(house, record, at, path, form) for at in ports])
        assert sorted(one.status_code for one in answers) == [303] + [403] * 7
        # The control: another answer to another question is let in by the other worker.
        asked = begin(person, provider)
        assert post_to(house, record, port, path, provider.answer(house, record, asked)).status_code == 303


def test_a_worker_that_remembers_by_itself_would_let_a_replay_in(house: House) -> None:
    """The broken control of the shared memory: forget what was used, and the very same assertion counts again."""
    provider = paper()
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    asked = begin(person, provider)
    form = provider.answer(house, record, asked)
    assert bring(person, provider, form).url.path == "/"
    kept = "insert into sso_flow select hash, connection_id, data, now() + interval '5 minutes' from flow_kept"
    asked = begin(person, provider)
    form = provider.answer(house, record, asked)
    house.rows(record, "create table flow_kept as select * from sso_flow")
    assert bring(person, provider, form).url.path == "/"
    house.rows(record, kept)
    refused = bring(person, provider, form)
    assert refused.status_code == 403
    assert traces(house, record)[-1]["refusal"] == "sso_replayed"
    house.rows(record, "delete from sso_replay")
    house.rows(record, "delete from sso_flow")
    house.rows(record, kept)
    assert bring(person, provider, form).url.path == "/sso/" + str(provider.connection.id) + "/finish"
    house.rows(record, "drop table flow_kept")


def test_a_flow_ends_after_ten_minutes_and_knows_its_own_connection(house: House) -> None:
    one, two = paper(), paper(key="second")
    identity = msgspec.structs.replace(one.identity(), connections=(one.connection, two.connection))
    record = house.workspace(identity=identity)
    person = house.stranger(record)
    asked = begin(person, one)
    assert bring(person, two, two.answer(house, record, asked)).status_code == 403
    house.rows(record, "update sso_flow set expires_at = now() - interval '1 second'")
    answer = bring(person, one, one.answer(house, record, asked))
    assert answer.status_code == 403
    assert "took longer than ten minutes" in answer.text
    assert not signed_in(person)


def test_the_name_of_one_step_opens_no_other(house: House) -> None:
    """What travels through the browser names a beginning, an answer that was checked, or a way out: each its own."""
    provider = paper()
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    asked = begin(person, provider)
    finish = f"/sso/{provider.connection.id}/finish"
    assert person.get(finish, params={"flow": asked.relay_state}).status_code == 403
    led = bring(person, provider, provider.answer(house, record, asked), follow_redirects=False)
    arrived = parse_qs(urlsplit(led.headers["location"]).query)["flow"][0]
    again = provider.answer(house, record, Asked(asked.request_id, arrived))
    assert bring(person, provider, again).status_code == 403
    # The control: each at its own place.
    assert person.get(finish, params={"flow": arrived}).url.path == "/"
    out = parse_qs(urlsplit(str(person.post("/sign-out").url)).query)["flow"][0]
    [(data,)] = house.rows(record, "select data from sso_flow where data ? 'out'")
    answer = provider.answer(house, record, Asked(data["request_id"], out))
    assert bring(person, provider, answer).status_code == 403
    assert person.get(finish, params={"flow": out}).status_code == 403
    assert not signed_in(person)


def test_an_answer_that_nobody_asked_for_signs_nobody_in(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    assert bring(person, provider, provider.answer(house, record, None)).status_code == 403
    # Where the connection allows it, we then ask the provider ourselves: whose answer comes is the browser's own.
    allowed = paper(settings={"allow_idp_initiated": True})
    record = house.workspace(identity=allowed.identity())
    victim = house.stranger(record)
    form = allowed.answer(house, record, None, "mallory", mail=f"mallory@{DOMAIN}")
    page = bring(victim, allowed, form | {"RelayState": "/members"})
    assert page.status_code == 200
    assert f"/sso/{allowed.connection.id}?next=/members" in page.text
    assert not signed_in(victim)
    assert bring(victim, allowed, form).status_code == 403, "an unsolicited answer counts once too"
    # It goes nowhere but here, and a forged one goes nowhere at all.
    form = allowed.answer(house, record, None, "mallory", mail=f"mallory@{DOMAIN}")
    assert "evil.example" not in bring(victim, allowed, form | {"RelayState": "https://evil.example/"}).text
    forged = Paper(allowed.connection, paper(key="stranger").key, allowed.entity_id).answer(house, record, None)
    assert bring(victim, allowed, forged).status_code in {403, 422}


def test_a_session_of_before_is_not_kept_through_a_sign_in(house: House) -> None:
    provider = paper(domains=(DOMAIN,))
    record = house.workspace(identity=provider.identity())
    owner = house.owner(record)
    old = owner.http.cookies["parvis"]
    assert sign_in(owner, provider).url.path == "/"
    assert owner.http.cookies["parvis"] != old
    thief = house.stranger(record)
    thief.http.cookies.set("parvis", old)
    assert not signed_in(thief)
    # An id that a client chose is never adopted.
    chooser = house.stranger(record)
    chooser.http.cookies.set("parvis", "chosen", domain=record.hosts[0])
    sign_in(chooser, provider)
    assert "chosen" not in str(house.rows(record, "select hash from session"))


def test_nonsense_posted_by_strangers_fills_no_table(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    for _ in range(120):
        assert bring(person, provider, {"SAMLResponse": "bm9uc2Vuc2U=", "RelayState": "x"}).status_code == 403
    assert len(traces(house, record)) <= 100


def test_only_answers_of_providers_do_without_a_page_s_token() -> None:
    exempt = {f"{method} {path}" for method, path, opt in handlers() if "foreign" in opt and method == "POST"}
    assert exempt == {
        "POST /saml/{connection_id}/acs",
        "POST /saml/{connection_id}/slo",
        "POST /oidc/{connection_id}/logout",
    }


@pytest.mark.parametrize("wrong", ["<a/>", "", "QQ==", "A" * 100_000])
def test_a_broken_answer_is_refused_in_words(house: House, wrong: str) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    asked: Asked = begin(person, provider)
    answer = bring(person, provider, {"SAMLResponse": wrong, "RelayState": asked.relay_state})
    assert answer.status_code in {403, 413, 422}
    assert "You could not be signed in" in answer.text


def test_a_wrong_password_of_a_governed_domain_tells_nothing(house: House) -> None:
    """Known or not, right or wrong: one answer, and the door leads to the provider by the address alone."""
    provider = paper(domains=(DOMAIN, "example.org"))
    plain = paper(stage="pilot", pilot=(), domains=(DOMAIN, "example.org"))
    record, other = house.workspace(identity=provider.identity()), house.workspace(identity=plain.identity())
    known = f"{record.address}@example.org"
    person: Person = house.stranger(record)

    def answer(email: str, password: str) -> httpx.Response:
        return person.http.post("/sign-in", data={"email": email, "password": password})

    pages = [answer(email, PASSWORD) for email in (known, f"nobody@{DOMAIN}")]
    assert {page.status_code for page in pages} == {403}
    assert len({page.text.replace(known, "x").replace(f"nobody@{DOMAIN}", "x") for page in pages}) == 1
    for email in (known, f"nobody@{DOMAIN}"):
        led = person.http.post("/sign-in", data={"email": email, "password": ""}, follow_redirects=False)
        assert led.headers["location"] == f"/sign-in/with/{provider.connection.id}"
    # The control: before it is enforced, a password opens.
    owner = house.owner(other)
    assert signed_in(owner)


def test_only_the_provider_itself_ends_sessions(house: House) -> None:
    provider, stranger = paper(), paper(key="stranger")
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    sign_in(person, provider, session="_s1")

    def ask(by: Paper, subject: str = "alice", index: str | None = "_s1") -> str:
        return asks_out(house, record, provider, subject, index, by=by)

    unsigned = ask(provider).partition("&SigAlg")[0]
    for forged in (unsigned, ask(stranger), ask(provider).replace("Signature=", "Signature=AAAA")):
        assert person.get(forged, follow_redirects=False).status_code in {403, 422}
        assert signed_in(person)
    # Another person's session is not his.
    other = house.stranger(record)
    sign_in(other, provider, "bob", mail=f"bob@{DOMAIN}", session="_s2")
    right = ask(provider)
    assert person.get(right, follow_redirects=False).status_code == 303
    assert not signed_in(person)
    assert signed_in(other)
    assert other.get(right, follow_redirects=False).status_code == 403, "the same request counts once"
    assert other.get(ask(provider, "bob", None), follow_redirects=False).status_code == 303
    assert not signed_in(other)
