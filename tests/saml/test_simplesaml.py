"""Signing in and out at a real SimpleSAMLphp, in each of its ways to sign and encrypt."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kit.checking import Check
from kit.errors import Refusal
from kit.saml import (
    Assertion,
    Form,
    IdentityProvider,
    Key,
    Redirect,
    ServiceProvider,
    answer_logout,
    ask,
    ask_logout,
    check_logout_answer,
    check_logout_request,
    check_response,
    is_answer,
    metadata_of,
    new_id,
    read_metadata,
)
from tests.saml.browsing import Arrival, Browser
from tests.world import simplesaml
from tests.world.simplesaml import Mode, SimpleSaml, running_simplesaml

MODES: tuple[Mode, ...] = ("both", "assertion", "response", "encrypted")
OURS = "https://acme.parvis.test/"


@pytest.fixture(scope="module")
def provider(world_folder: Path) -> Iterator[SimpleSaml]:
    simplesaml.require()
    with running_simplesaml(world_folder / "simplesaml-core") as running:
        running.add_person("alice", "alicepass", mail="alice@acme.test", displayName="Alice Étienne", groups=["a", "b"])
        yield running


@pytest.fixture(scope="module")
def key() -> Key:
    return Key.new("acme.parvis.test")


def service(key: Key, name: str = "7") -> ServiceProvider:
    base = f"{OURS}saml/{name}/"
    return ServiceProvider(base + "metadata", base + "acs", base + "slo", (key,))


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Visit:
    """One person's browser between the provider and us."""

    def __init__(self, browser: Browser, sp: ServiceProvider, idp: IdentityProvider) -> None:
        self.browser, self.sp, self.idp = browser, sp, idp
        self.request_id = new_id()
        self.trail: list[Check] = []

    def arrive(self, *, sign: bool = True) -> Arrival:
        asked = ask(self.sp, self.idp, request_id=self.request_id, relay_state="/back", sign=sign, now=now())
        assert isinstance(asked, Redirect)
        return self.browser.sign_in(asked.url, username="alice", password="alicepass")

    def check(self, arrival: Arrival, sp: ServiceProvider | None = None) -> Assertion:
        assert arrival.form is not None
        return check_response(
            sp or self.sp,
            self.idp,
            arrival.form["SAMLResponse"],
            request_id=self.request_id,
            allow_unsolicited=False,
            now=now(),
            trail=self.trail,
        )


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser(OURS) as opened:
        yield opened


def visit(provider: SimpleSaml, browser: Browser, key: Key, mode: Mode, name: str = "7") -> Visit:
    sp = service(key, name)
    provider.trust(metadata_of(sp), mode)
    return Visit(browser, sp, read_metadata(provider.metadata()))


@pytest.mark.parametrize("mode", MODES)
def test_a_person_signs_in_and_out(provider: SimpleSaml, browser: Browser, key: Key, mode: Mode) -> None:
    here = visit(provider, browser, key, mode)
    arrival = here.arrive()
    assert arrival.url == here.sp.acs_url
    assert arrival.form is not None
    assert arrival.form["RelayState"] == "/back"
    assertion = here.check(arrival)
    assert assertion.subject == "alice"
    assert assertion.attributes["displayName"] == ("Alice Étienne",)
    assert assertion.attributes["groups"] == ("a", "b")
    assert ("decryption" in {check.name for check in here.trail}) == (mode == "encrypted")
    sign_out(here, assertion)


def sign_out(here: Visit, assertion: Assertion) -> None:
    request_id = new_id()
    asked = ask_logout(
        here.sp,
        here.idp,
        request_id=request_id,
        subject=assertion.subject,
        subject_format=assertion.subject_format,
        session_index=assertion.session_index,
        relay_state="/bye",
        now=now(),
    )
    assert isinstance(asked, Redirect)
    arrival = here.browser.go(asked.url)
    assert arrival is not None
    assert is_answer(query=arrival.query, form=arrival.form)
    assert check_logout_answer(here.sp, here.idp, query=arrival.query, request_id=request_id, now=now())
    with pytest.raises(Refusal, match="answers another logout"):
        check_logout_answer(here.sp, here.idp, query=arrival.query, request_id=new_id(), now=now())
    altered = arrival.query.replace("RelayState=%2Fbye", "RelayState=%2Fevil")
    assert altered != arrival.query
    with pytest.raises(Refusal) as refused:
        check_logout_answer(here.sp, here.idp, query=altered, request_id=request_id, now=now())
    assert refused.value.code == "saml_signature_key"
    # Its session is over: whoever comes back is asked for the password again.
    assert here.browser.go(str(ask(here.sp, here.idp, request_id=new_id(), relay_state="", now=now()).url)) is None


def test_a_second_visit_needs_no_password(provider: SimpleSaml, browser: Browser, key: Key) -> None:
    first = visit(provider, browser, key, "both")
    first.check(first.arrive())
    again = visit(provider, browser, key, "both")
    asked = ask(again.sp, again.idp, request_id=again.request_id, relay_state="", now=now())
    assert browser.go(asked.url) is None
    assert again.check(browser._sent_on()).subject == "alice"
    forced = ask(again.sp, again.idp, request_id=new_id(), relay_state="", force=True, now=now())
    assert browser.go(forced.url) is None
    assert 'name="password"' in browser.page.text  # type: ignore[union-attr]


def test_the_provider_ends_our_session_too(provider: SimpleSaml, browser: Browser, key: Key) -> None:
    """Two services of one person: leaving one ends the other, which the provider asks to."""
    first, second = (visit(provider, browser, key, "both", name) for name in ("7", "8"))
    signed_in = first.check(first.arrive())
    asked = ask(second.sp, second.idp, request_id=second.request_id, relay_state="", now=now())
    assert browser.go(asked.url) is None
    other = second.check(browser._sent_on())
    leaving = ask_logout(
        second.sp,
        second.idp,
        request_id=(request_id := new_id()),
        subject=other.subject,
        subject_format=other.subject_format,
        session_index=other.session_index,
        relay_state="",
        now=now(),
    )
    assert leaving is not None
    arrival = browser.go(leaving.url)
    assert arrival is not None
    assert arrival.url == first.sp.slo_url
    assert not is_answer(query=arrival.query)
    request = check_logout_request(first.sp, first.idp, query=arrival.query, now=now())
    assert request.subject == signed_in.subject
    assert request.session_indexes in {(signed_in.session_index,), ()}
    with pytest.raises(Refusal, match="destination"):
        check_logout_request(second.sp, second.idp, query=arrival.query, now=now())
    told = answer_logout(first.sp, first.idp, request, now=now())
    assert isinstance(told, Redirect)
    done = browser.go(told.url)
    assert done is not None
    assert check_logout_answer(second.sp, second.idp, query=done.query, request_id=request_id, now=now())


def test_a_request_by_form_is_understood(provider: SimpleSaml, browser: Browser, key: Key) -> None:
    here = visit(provider, browser, key, "both")
    by_form = replace(here.idp, sso_binding="post")
    asked = ask(here.sp, by_form, request_id=here.request_id, relay_state="/back", now=now())
    assert isinstance(asked, Form)
    browser._land(browser.client.post(asked.url, data=asked.fields))
    arrival = browser.send(username="alice", password="alicepass") or browser._sent_on()
    assert here.check(arrival).subject == "alice"


def test_an_unsigned_request_is_refused_by_a_provider_that_wants_signed_ones(
    provider: SimpleSaml, browser: Browser, key: Key
) -> None:
    here = visit(provider, browser, key, "both")
    asked = ask(here.sp, here.idp, request_id=here.request_id, relay_state="", sign=False, now=now())
    page = browser.client.get(asked.url).text
    assert 'name="password"' not in page
    assert "Unhandled exception" in page, page[:3000]


def test_what_is_meant_for_another_service_is_refused(provider: SimpleSaml, browser: Browser, key: Key) -> None:
    here = visit(provider, browser, key, "assertion")
    arrival = here.arrive()
    other = service(key, "another")
    for wrong, code in (
        (replace(here.sp, acs_url=other.acs_url), "saml_destination"),
        (replace(here.sp, entity_id=other.entity_id), "saml_audience"),
    ):
        with pytest.raises(Refusal) as refused:
            here.check(arrival, wrong)
        assert refused.value.code == code
    here.request_id = new_id()
    with pytest.raises(Refusal) as refused:
        here.check(arrival)
    assert refused.value.code == "saml_in_response_to"


def test_certificates_overlap_while_the_provider_changes_its_key(
    provider: SimpleSaml, browser: Browser, key: Key
) -> None:
    old, new = Key.new("old"), Key.new("new")
    provider.use_key(old, announced=new)
    here = visit(provider, browser, key, "both")
    assert set(here.idp.certificates) == {old.certificate, new.certificate}
    assert here.check(here.arrive()).subject == "alice"
    provider.use_key(new)
    # What was read before the change holds after it; what knew the old key alone does not.
    with Browser(OURS) as after:
        later = Visit(after, here.sp, here.idp)
        arrival = later.arrive()
        assert later.check(arrival).subject == "alice"
        later.idp = replace(here.idp, certificates=(old.certificate,))
        with pytest.raises(Refusal) as refused:
            later.check(arrival)
        assert refused.value.code == "saml_signature_key"


def test_our_keys_overlap_while_we_change_ours(provider: SimpleSaml, browser: Browser, key: Key) -> None:
    here = visit(provider, browser, key, "encrypted")
    following = Key.new("following")
    # The provider still encrypts for the old key; we sign by the new one, which our metadata announced before.
    announcing = replace(here.sp, announced=(following.certificate,))
    provider.trust(metadata_of(announcing), "encrypted")
    here.sp = replace(here.sp, keys=(following, key))
    assert here.check(here.arrive()).subject == "alice"


def test_a_connection_that_names_nobody_lastingly_says_so(provider: SimpleSaml, browser: Browser, key: Key) -> None:
    here = visit(provider, browser, key, "both")
    transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
    provider.trust(metadata_of(here.sp), "both", NameIDFormat=transient)
    with pytest.raises(Refusal) as refused:
        here.check(here.arrive())
    assert refused.value.code == "saml_transient"
