"""The public page and the form, as a browser without script meets them."""

import re
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from control_plane import catalogue, identity
from control_plane.audit import SYSTEM
from control_plane.signup.letters import Writer
from kit.db import transaction
from tests.signup.conftest import GOOD, Site

ERRORS: dict[str, tuple[dict[str, str], str, str]] = {
    "email": ({"email": "claire@saint"}, "This does not look like an e-mail address", "pas une adresse électronique"),
    "organisation": ({"organisation": "X"}, "A name has 2 to 120 characters.", "Un nom compte de 2 à 120 caractères."),
    "address": ({"address": "é!"}, "An address has 3 to 40 letters", "Une adresse compte de 3 à 40 lettres"),
    "reserved": ({"address": "admin"}, "This address is reserved", "Cette adresse est réservée"),
    "offer": ({"offer": "enterprise"}, "Choose one of these offers.", "Choisissez une de ces offres."),
    "siret": ({"siret": "732 829 320 00075"}, "its check digit does not fit", "sa clé de contrôle ne correspond pas"),
    "no siret": ({"siret": ""}, "needs your SIRET", "demande votre SIRET"),
    "kind": ({"entity_kind": "castle"}, "Choose what kind of public body", "Choisissez de quel type"),
    "terms": ({"terms": ""}, "accept the terms of use first", "acceptez d’abord les conditions"),
}


def visible(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text).replace("&#39;", "'"))


@pytest.mark.parametrize(
    ("lang", "words"), [("fr", "Tout le travail de votre équipe"), ("en-GB", "All the work of your team")]
)
def test_the_public_page_speaks_the_browser_s_language_and_shows_the_catalogue(
    site: Site, lang: str, words: str
) -> None:
    answer = site.get("/", lang)
    assert answer.status_code == 200
    assert words in answer.text
    for price in ("190", "6", "12", "16"):
        assert re.search(rf"<b>(€{price}|{price}\u00a0€) </b>", answer.text)


def test_a_new_price_is_on_the_page_at_once(site: Site) -> None:
    with transaction(site.engine) as session:
        now = catalogue.current(session, "team")
        dearer = msgspec.structs.replace(now.terms, price_cents=23_450)
        catalogue.publish(session, "team", names=now.names, entitlements=now.entitlements, terms=dearer, actor=SYSTEM)
    assert "€234.50" in site.get("/").text


def test_an_offer_with_a_contract_is_asked_for_not_taken(site: Site) -> None:
    assert "/signup?offer=enterprise" not in site.get("/").text
    assert 'value="enterprise"' not in site.get("/signup?offer=enterprise").text


@pytest.mark.parametrize("case", ERRORS)
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_wrong_field_is_named_and_nothing_is_stored(site: Site, case: str, lang: str) -> None:
    fields, english, french = ERRORS[case]
    answer = site.sign_up(lang, **fields)
    assert answer.status_code == 422
    assert (french if lang == "fr" else english) in visible(answer.text)
    assert 'aria-invalid="true"' in answer.text or case == "offer"
    assert [site.count(table) for table in ("signup_request", "address_claim", "outbox")] == [0, 0, 0]


def test_all_errors_come_at_once_with_a_summary_of_links_and_the_entries_kept(site: Site) -> None:
    answer = site.sign_up(email="no", address="a", siret="1", organisation="Mairie <b>")
    assert answer.status_code == 422
    assert re.findall(r'<li><a href="#([\w-]+)">', answer.text) == ["email", "address", "siret"]
    assert 'value="Mairie &lt;b&gt;"' in answer.text
    assert 'value="no"' in answer.text


def test_an_empty_form_is_answered_like_any_other(site: Site) -> None:
    assert site.post("/signup").status_code == 422
    assert site.post("/signup", {"email": "x" * 5000}).status_code == 422


def test_a_body_that_is_no_form_is_refused(site: Site) -> None:
    answer = site.client.post(
        "http://parvis.localhost:8080/signup", content=b"\xff\xfe", headers={"content-type": "application/json"}
    )
    assert answer.status_code in {400, 415, 422}
    assert site.count("signup_request") == 0


def test_a_good_form_reserves_the_address_and_writes_one_mail(site: Site) -> None:
    answer = site.sign_up("fr")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/signup/sent"
    assert [mail.kind for mail in site.mails()] == ["signup_link"]
    ((address, hours),) = site.sql(
        "select address, extract(epoch from reserved_until - now()) / 3600 from address_claim"
    )
    assert address == "saint-aubin"
    assert 5.9 < hours <= 6


def test_a_team_needs_no_siret(site: Site) -> None:
    assert site.sign_up(offer="team", siret="", entity_kind="").status_code == 303


def known(site: Site, email: str) -> None:
    """An organisation whose administrator has had his trial."""
    site.sign_up(email=email, address="first-one", ip="198.51.100.1")
    site.post(site.link())
    assert site.count("organisation") == 1
    site.client.cookies.clear()


def test_whether_a_mailbox_is_known_shows_nowhere_but_in_its_mail(site: Site) -> None:
    known(site, "claire@known.fr")
    told: list[Any] = []
    for number, email in enumerate(("claire@known.fr", "nobody@other.fr")):
        answer = site.sign_up(email=email, address=f"again-{number}", offer="team")
        said = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "date"}}
        after = site.get("/signup/sent").text
        taken = site.get(f"/signup/address?address=again-{number}").text
        told.append((answer.status_code, said, answer.text, after, taken))
    assert told[0] == told[1]
    assert [mail.kind for mail in site.mails()[-2:]] == ["signup_known", "signup_link"]
    assert {key for mail in site.mails()[-2:] for key in mail.payload} == {"signup"}


def test_who_belongs_to_an_organisation_that_has_proven_his_domain_is_led_there(site: Site) -> None:
    known(site, "claire@proven.fr")
    with transaction(site.engine) as session:
        whose = session.execute(text("select id from organisation")).scalar_one()
        session.execute(text("update organisation set state = 'provisioning'"))
        session.execute(text("update organisation set state = 'live'"))
        claimed = identity.claim_domain(session, whose, "proven.fr", actor=SYSTEM)
    before = site.sign_up(email="jean@proven.fr", address="second-a", offer="team")
    with transaction(site.engine) as session:
        session.execute(text("update organisation_domain set state = 'proven' where id = :id"), {"id": claimed.id})
    after = site.sign_up(email="jeanne@proven.fr", address="second-b", offer="team")
    assert (before.status_code, before.headers["location"]) == (after.status_code, after.headers["location"])
    assert [mail.kind for mail in site.mails()[-2:]] == ["signup_link", "signup_captured"]
    with transaction(site.engine) as session:
        words = Writer(site.settings).write(session, site.mails()[-1])
    assert "first-one.parvis.localhost" in " ".join(words.paragraphs)
    # The control: a mailbox of another domain is led nowhere.
    site.sign_up(email="jeanne@mail.proven.fr", address="second-c", offer="team")
    assert site.mails()[-1].kind == "signup_link"


def test_the_live_check_says_what_an_address_is_like(site: Site) -> None:
    known(site, "a@b.fr")
    said = {
        address: visible(site.get(f"/signup/address?address={address}").text)
        for address in ("free-one", "first-one", "f1rst-one", "admin", "a", "É")
    }
    assert "is free" in said["free-one"]
    assert "taken" in said["first-one"]
    assert "very close to “first-one”" in said["f1rst-one"]
    assert "reserved" in said["admin"]
    assert "3 to 40" in said["a"]
    assert "3 to 40" in said["É"]


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
)
def test_a_form_that_another_site_sends_is_refused(site: Site, headers: dict[str, str]) -> None:
    assert site.post("/signup", GOOD, **headers).status_code == 403
    assert site.count("signup_request") == 0


def test_too_many_requests_get_a_page_with_the_cure(site: Site) -> None:
    for number in range(20):
        assert site.sign_up(email=f"p{number}@d{number}.fr", address=f"town-{number}").status_code == 303
    answer = site.sign_up("fr", email="p@d.fr", address="one-more")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 3000
    assert "réessayez dans" in answer.text
    assert site.count("signup_request") == 20
    assert site.sign_up(email="p@d.fr", address="one-more", ip="203.0.113.9").status_code == 303


@pytest.mark.parametrize("path", ["/accessibility", "/privacy", "/terms", "/sign-in", "/signup/sent"])
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_plain_pages_answer(site: Site, path: str, lang: str) -> None:
    answer = site.get(path, lang)
    assert answer.status_code == 200
    assert f'<html lang="{lang}">' in answer.text


@pytest.mark.parametrize(
    ("typed", "where"),
    [
        ("saint-aubin", "http://saint-aubin.parvis.localhost:8080/"),
        (" HTTP://Saint-Aubin.parvis.localhost:8080/ ", "http://saint-aubin.parvis.localhost:8080/"),
    ],
)
def test_sign_in_leads_to_the_workspace_s_own_door(site: Site, typed: str, where: str) -> None:
    assert site.post("/sign-in", {"address": typed}).headers["location"] == where


@pytest.mark.parametrize("typed", ["evil.example/", "a@b", "", "//evil.example", "x" * 60])
def test_sign_in_leads_nowhere_else(site: Site, typed: str) -> None:
    answer = site.post("/sign-in", {"address": typed})
    assert answer.status_code == 422
    assert "location" not in answer.headers


def test_an_unknown_host_gets_a_plain_404_and_makes_no_query(site: Site) -> None:
    site.engine.dispose()
    for host in ("other.example", "parvis.localhost.evil:8080", "parvis.localhost:9"):
        answer = site.client.get("http://parvis.localhost:8080/", headers={"host": host})
        assert answer.status_code == 404
        assert answer.text == "404 There is nothing at this address.\n"
    assert site.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_whoever_watches_the_process_asks_by_its_port(site: Site) -> None:
    for path in ("/healthz", "/readyz"):
        assert site.client.get(f"http://127.0.0.1:8471{path}").status_code == 200


def test_the_policy_lets_forms_lead_to_workspaces_and_nothing_else_leave(site: Site) -> None:
    policy = site.get("/").headers["content-security-policy"]
    assert "form-action 'self' http://*.parvis.localhost:8080;" in policy
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
