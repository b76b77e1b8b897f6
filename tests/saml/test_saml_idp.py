"""The same at a second real provider, npm's saml-idp: another library writes and signs the XML.

It cannot encrypt with the release of samlp that our override gives it; SimpleSAMLphp does.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.saml import (
    Assertion,
    IdentityProvider,
    Redirect,
    ask,
    ask_logout,
    check_logout_answer,
    check_response,
    new_id,
    read_metadata,
)
from tests.saml.browsing import Browser
from tests.saml.said import OURS, sp
from tests.world.saml_idp import ISSUER, SamlIdp, running_saml_idp


@pytest.fixture(scope="module")
def provider(world_folder: Path) -> Iterator[SamlIdp]:
    with running_saml_idp(world_folder / "saml-idp", sp()) as running:
        yield running


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser(OURS) as opened:
        yield opened


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def signed_in(browser: Browser, idp: IdentityProvider) -> Assertion:
    request_id = new_id()
    asked = ask(sp(), idp, request_id=request_id, relay_state="/back", now=now())
    assert isinstance(asked, Redirect)
    assert browser.go(asked.url) is None
    arrival = browser.send(action="/signin", userName="carol@acme.test") or browser.send()
    assert arrival is not None
    assert arrival.form is not None
    assert arrival.form["RelayState"] == "/back"
    encoded = arrival.form["SAMLResponse"]
    return check_response(sp(), idp, encoded, request_id=request_id, allow_unsolicited=False, now=now())


@pytest.mark.parametrize("both", [False, True])
def test_a_person_signs_in(provider: SamlIdp, browser: Browser, both: bool) -> None:
    provider.use(sign_response=both)
    idp = read_metadata(provider.metadata())
    assert idp.entity_id == ISSUER
    assertion = signed_in(browser, idp)
    assert assertion.subject == "carol@acme.test"
    assert assertion.attributes


def test_a_person_signs_out(provider: SamlIdp, browser: Browser) -> None:
    provider.use()
    idp = read_metadata(provider.metadata())
    assertion = signed_in(browser, idp)
    request_id = new_id()
    asked = ask_logout(
        sp(),
        idp,
        request_id=request_id,
        subject=assertion.subject,
        subject_format=assertion.subject_format,
        session_index=assertion.session_index,
        relay_state="",
        now=now(),
    )
    assert isinstance(asked, Redirect)
    arrival = browser.go(asked.url) or browser.send()
    assert arrival is not None
    answer = {"query": arrival.query} if arrival.form is None else {"form": arrival.form}
    assert check_logout_answer(sp(), idp, request_id=request_id, now=now(), **answer)  # type: ignore[arg-type]
