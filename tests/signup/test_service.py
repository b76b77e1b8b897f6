"""The rules of signing up: limits, links, reservations, and what staff should look at."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, text

from control_plane import organisations, signup
from control_plane.organisations import Organisation
from control_plane.provisioning import Outbox
from control_plane.signup import service
from control_plane.signup.domains import DISPOSABLE, is_within
from control_plane.signup.limits import Limits, network_of
from control_plane.signup.models import SignupRequest
from kit.db import transaction
from kit.errors import Refusal, Refusals
from tests.signup.conftest import wish

WIDE = Limits(network=1000, email=1000, domain=1000, public_domain=1000)


def ask(engine: Engine, ip: str = "192.0.2.1", limits: Limits = WIDE, **fields: Any) -> UUID:
    with transaction(engine) as session:
        return signup.request(session, wish(**fields), ip=ip, locale="fr", limits=limits)


def link(engine: Engine, request_id: UUID) -> str:
    with transaction(engine) as session:
        made = service.new_link(session, request_id)
        assert made
        return made[1]


def later(engine: Engine, **gone: Any) -> None:
    """Let time pass for every request and reservation."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "update signup_request set created_at = created_at - :gone, link_expires_at = link_expires_at - :gone,"
                " expires_at = expires_at - :gone, confirmed_at = confirmed_at - :gone"
            ),
            {"gone": timedelta(**gone)},
        )
        connection.execute(
            text("update address_claim set reserved_until = reserved_until - :gone"), {"gone": timedelta(**gone)}
        )


def test_a_confirmed_request_orders_what_was_wished(equipped: Engine) -> None:
    token = link(equipped, ask(equipped))
    with transaction(equipped) as session:
        row, _ = signup.confirm(session, token)
        ordered = session.get_one(Organisation, row.organisation_id)
        assert (ordered.name, ordered.address, ordered.offer_code, ordered.siret) == (
            "Ville de Saint-Aubin",
            "saint-aubin",
            "public-sector",
            "73282932000074",
        )
        assert (ordered.admin_email, ordered.admin_name) == ("claire.fontenay@saint-aubin.fr", "Claire Fontenay")
        assert (ordered.source, ordered.locale, ordered.state) == ("signup", "fr", "ordered")


def test_a_link_works_once(equipped: Engine) -> None:
    token = link(equipped, ask(equipped))
    with transaction(equipped) as session:
        signup.confirm(session, token)
    with pytest.raises(Refusal, match="used already"), transaction(equipped) as session:
        signup.confirm(session, token)


def test_a_link_ends_after_half_an_hour(equipped: Engine) -> None:
    token = link(equipped, ask(equipped))
    later(equipped, minutes=29)
    with transaction(equipped) as session:
        assert service.by_link(session, token)
    later(equipped, minutes=2)
    with pytest.raises(Refusal, match="used already"), transaction(equipped) as session:
        signup.confirm(session, token)


def test_a_second_mail_ends_the_link_of_the_first(equipped: Engine) -> None:
    request_id = ask(equipped)
    first, second = link(equipped, request_id), link(equipped, request_id)
    with transaction(equipped) as session:
        with pytest.raises(Refusal, match="used already"):
            service.by_link(session, first)
        assert service.by_link(session, second).id == request_id


def test_no_link_is_ever_stored(equipped: Engine) -> None:
    request_id = ask(equipped)
    token = link(equipped, request_id)
    with transaction(equipped) as session:
        stored = repr([row.payload for row in session.scalars(select(Outbox))])
        row = session.get_one(SignupRequest, request_id)
        assert token not in stored
        assert token.encode() != row.link_hash


def test_two_at_once_give_one_winner_and_one_clear_message(equipped: Engine) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def claim(number: int) -> None:
        start.wait()
        try:
            ask(equipped, ip=f"192.0.2.{number}", email=f"p{number}@d{number}.fr")
            outcomes.append("won")
        except Refusals as wrong:
            outcomes.append(", ".join(f"{one.field} {one.code}" for one in wrong.refusals))

    threads = [threading.Thread(target=claim, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["address address_taken", "won"]
    with transaction(equipped) as session:
        assert len(session.scalars(select(SignupRequest)).all()) == 1


def test_one_link_pressed_twice_at_once_orders_one_organisation(equipped: Engine) -> None:
    token = link(equipped, ask(equipped))
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def press() -> None:
        start.wait()
        try:
            with transaction(equipped) as session:
                signup.confirm(session, token)
            outcomes.append("ordered")
        except Refusal as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["link_gone", "ordered"]
    with transaction(equipped) as session:
        assert len(session.scalars(select(Organisation)).all()) == 1


def test_who_asks_again_keeps_the_address_and_the_earlier_link_ends(equipped: Engine) -> None:
    first = link(equipped, ask(equipped))
    second = link(equipped, ask(equipped))
    with transaction(equipped) as session, pytest.raises(Refusal, match="used already"):
        service.by_link(session, first)
    with transaction(equipped) as session:
        signup.confirm(session, second)


def test_another_mailbox_cannot_take_a_reserved_address(equipped: Engine) -> None:
    ask(equipped)
    with pytest.raises(Refusals) as wrong:
        ask(equipped, email="someone@else.fr")
    assert [(one.field, one.code) for one in wrong.value.refusals] == [("address", "address_taken")]


def test_an_unconfirmed_request_ends_at_six_hours_and_frees_its_address(equipped: Engine) -> None:
    ask(equipped)
    later(equipped, hours=5, minutes=59)
    with transaction(equipped) as session:
        assert signup.expire(session) == 0
        assert not organisations.check_address(session, "saint-aubin").free
    later(equipped, minutes=2)
    with transaction(equipped) as session:
        assert signup.expire(session) == 1
        assert organisations.check_address(session, "saint-aubin").free
        assert session.scalars(select(SignupRequest)).all() == []


def test_a_confirmed_request_is_forgotten_after_a_month_and_the_organisation_stays(equipped: Engine) -> None:
    with_link = link(equipped, ask(equipped))
    with transaction(equipped) as session:
        signup.confirm(session, with_link)
    later(equipped, days=29)
    with transaction(equipped) as session:
        assert signup.expire(session) == 0
        assert session.scalars(select(SignupRequest)).all()
    later(equipped, days=2)
    with transaction(equipped) as session:
        signup.expire(session)
        assert session.scalars(select(SignupRequest)).all() == []
        assert session.scalars(select(Organisation)).all()


def test_a_mail_for_a_request_that_ended_makes_no_link(equipped: Engine) -> None:
    request_id = ask(equipped)
    later(equipped, hours=7)
    with transaction(equipped) as session:
        assert service.new_link(session, request_id) is None


@pytest.mark.parametrize(
    ("limits", "differ"),
    [
        (Limits(network=3, email=99, domain=99), {"email": "p{n}@d{n}.fr"}),
        (Limits(network=99, email=3, domain=99), {"ip": "192.0.2.{n}"}),
        (Limits(network=99, email=99, domain=3), {"ip": "192.0.2.{n}", "email": "p{n}@one.fr"}),
    ],
    ids=["network", "mailbox", "domain"],
)
def test_the_fourth_request_within_the_hour_waits(equipped: Engine, limits: Limits, differ: dict[str, str]) -> None:
    def nth(n: int) -> UUID:
        own = {key: value.format(n=n) for key, value in differ.items()}
        return ask(equipped, limits=limits, address=f"town-{n}", **own)

    for n in range(3):
        nth(n)
    with pytest.raises(Refusal) as refusal:
        nth(3)
    assert (refusal.value.code, refusal.value.status) == ("too_many_requests", 429)
    assert 0 < refusal.value.params["minutes"] <= 60
    later(equipped, minutes=61)
    assert nth(3)


def test_many_may_come_from_a_public_mail_domain(equipped: Engine) -> None:
    limits = Limits(network=99, email=99, domain=2, public_domain=9)
    for n in range(4):
        ask(equipped, limits=limits, email=f"p{n}@gmail.com", address=f"town-{n}", offer="team")


def test_limits_hold_when_all_ask_at_once(equipped: Engine) -> None:
    outcomes: list[bool] = []
    start = threading.Barrier(8)

    def one(n: int) -> None:
        start.wait()
        try:
            ask(equipped, limits=Limits(network=3), email=f"p{n}@d{n}.fr", address=f"town-{n}")
            outcomes.append(True)
        except Refusal:
            outcomes.append(False)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcomes) == 3


def test_a_network_is_an_ipv4_address_or_an_ipv6_64() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("::ffff:192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({}, []),
        ({"email": "x@mailinator.com"}, ["disposable_domain"]),
        ({"email": "x@eu.yopmail.com", "offer": "team"}, ["disposable_domain"]),
        ({"email": "mairie@wanadoo.fr"}, ["public_mail_domain"]),
        ({"email": "me@gmail.com", "offer": "team"}, []),
        ({"entity_kind": "association"}, ["entity_kind_unclear"]),
    ],
)
def test_doubts_flag_for_review_and_never_block(equipped: Engine, fields: dict[str, str], flags: list[str]) -> None:
    token = link(equipped, ask(equipped, **fields))
    with transaction(equipped) as session:
        row, _ = signup.confirm(session, token)
        assert session.get_one(Organisation, row.organisation_id).flags == flags


def test_a_look_alike_is_flagged(equipped: Engine) -> None:
    with transaction(equipped) as session:
        signup.confirm(session, link(equipped, ask(equipped, address="metz")))
    token = link(equipped, ask(equipped, address="rnetz", email="x@y.fr", siret="40483304800022"))
    with transaction(equipped) as session:
        row, _ = signup.confirm(session, token)
        assert "look_alike:metz" in session.get_one(Organisation, row.organisation_id).flags


def test_la_poste_s_numbers_follow_their_own_rule(equipped: Engine) -> None:
    assert ask(equipped, siret="356 000 000 00001")


def test_a_trial_is_given_once_for_each_mailbox_and_siret(equipped: Engine) -> None:
    with transaction(equipped) as session:
        signup.confirm(session, link(equipped, ask(equipped)))
    again = link(equipped, ask(equipped, email="Claire.Fontenay+again@saint-aubin.fr", address="second", offer="team"))
    with pytest.raises(Refusals, match="trial_used"), transaction(equipped) as session:
        signup.confirm(session, again)
    other = link(equipped, ask(equipped, email="someone@else.fr", address="third"))
    with pytest.raises(Refusals) as wrong, transaction(equipped) as session:
        signup.confirm(session, other)
    assert [one.field for one in wrong.value.refusals] == ["siret"]


def test_a_refused_confirmation_leaves_the_link_as_it_was(equipped: Engine) -> None:
    request_id = ask(equipped)
    token = link(equipped, request_id)
    with equipped.begin() as connection:
        connection.execute(text("update cell set open = false"))
    with pytest.raises(Refusals), transaction(equipped) as session:
        signup.confirm(session, token)
    with equipped.begin() as connection:
        connection.execute(text("update cell set open = true"))
    with transaction(equipped) as session:
        row, _ = signup.confirm(session, token)
        assert row.confirmed_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ("claire.fontenay@x.fr", "Claire Fontenay"),
        ("jean-paul.d@x.fr", "Jean-Paul D"),
        ("direction+parvis@x.fr", "Direction"),
        ("x@y.fr", "x@y.fr"),
    ],
)
def test_a_name_is_guessed_from_the_mailbox(email: str, name: str) -> None:
    assert service.name_from(email) == name


def test_a_part_of_a_disposable_domain_is_one_too() -> None:
    assert is_within("a.b.mailinator.com", DISPOSABLE)
    assert not is_within("notmailinator.com", DISPOSABLE)
