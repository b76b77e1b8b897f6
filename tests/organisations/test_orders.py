"""An order is checked whole, takes its address once, and begins a trial."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from control_plane import audit, organisations, provisioning
from control_plane.audit import SYSTEM
from control_plane.catalogue import publish, retire
from control_plane.organisations import NewOrganisation
from control_plane.organisations.fields import check_siret, email_key, fold, skeleton
from kit.db import transaction
from kit.errors import Refusal, Refusals
from kit.ids import new_id
from tests.organisations.conftest import Desk


def test_an_order_stores_everything_in_one_transaction(desk: Desk) -> None:
    row = desk.order(siret="732 829 320 00074", entity_kind="commune")
    assert (row.state, row.offer_code, row.offer_version, row.siret) == (
        "ordered",
        "public-sector",
        1,
        "73282932000074",
    )
    with transaction(desk.engine) as session:
        assert organisations.find(session, "sevres").id == organisations.find(session, row.id).id == row.id
        operation = provisioning.current_operation(session, row.id)
        assert operation is not None
        assert (operation.kind, operation.state) == ("create", "pending")
        assert [step.name for step in provisioning.steps(session, operation.id)] == [
            "slot",
            "storage",
            "owner",
            "route",
        ]
        assert [event.verb for event in audit.events(session, audit.Filter(organisation_id=row.id)).items] == [
            "organisation.ordered"
        ]


def test_the_trial_ends_with_a_day_in_paris_three_months_later(desk: Desk) -> None:
    from control_plane.organisations import dates

    before = dates.today()
    end = desk.order().trial_ends_at
    assert end is not None
    there = end.astimezone(dates.PARIS)
    assert (there.hour, there.minute, there.second) == (23, 59, 59)
    # Midnight may come in between.
    assert there.date() in {dates.add_months(day, 3) for day in (before, dates.today())}


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [("2026-11-30", 3, "2027-02-28"), ("2027-12-31", 2, "2028-02-29"), ("2026-01-31", 1, "2026-02-28")],
)
def test_months_end_on_the_last_day_where_they_are_shorter(day: str, months: int, end: str) -> None:
    from datetime import date

    from control_plane.organisations.dates import add_months

    assert add_months(date.fromisoformat(day), months).isoformat() == end


WRONG = {
    "name too short": ({"name": " x "}, "name"),
    "name too long": ({"name": "x" * 121}, "name"),
    "name with an invisible turn": ({"name": "Acme\u202eemca"}, "name"),
    "address too short": ({"address": "ab"}, "address"),
    "address too long": ({"address": "a" * 41}, "address"),
    "address with an accent": ({"address": "sèvres"}, "address"),
    "address that looks Latin": ({"address": "аcme"}, "address"),
    "address begins with a dash": ({"address": "-acme"}, "address"),
    "address ends with a dash": ({"address": "acme-"}, "address"),
    "address with two dashes": ({"address": "xn--acme"}, "address"),
    "address with a dot": ({"address": "ac.me"}, "address"),
    "reserved address": ({"address": "portal"}, "address"),
    "no offer": ({"offer": "moon"}, "offer"),
    "no mailbox": ({"admin_email": "jeanne"}, "admin.email"),
    "no domain": ({"admin_email": "jeanne@localhost"}, "admin.email"),
    "two lines": ({"admin_email": "jeanne@sevres.example\nBcc: all@sevres.example"}, "admin.email"),
    "no admin": ({"admin_name": ""}, "admin.name"),
    "siret too short": ({"siret": "7328293200007"}, "siret"),
    "siret with a wrong digit": ({"siret": "73282932000075"}, "siret"),
    "locale": ({"locale": "de"}, "locale"),
    "entity kind": ({"entity_kind": "moon"}, "entity_kind"),
    "cell": ({"cell": "moon"}, "cell"),
}


@pytest.mark.parametrize(("change", "field"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_field_is_named_and_nothing_is_stored(empty_desk: Desk, change: dict[str, str], field: str) -> None:
    desk = empty_desk
    with pytest.raises(Refusals) as refused:
        desk.order(**change)
    assert [one.field for one in refused.value.refusals] == [field]
    assert desk.sql("select count(*) from organisation") == [0]
    assert desk.sql("select count(*) from address_claim") == [0]
    assert desk.sql("select sum(tenants) from cell_database") == [0]


def test_all_wrong_fields_are_named_at_once(desk: Desk) -> None:
    with pytest.raises(Refusals) as refused:
        desk.order(name="", address="-", offer="moon", admin_email="x", admin_name="", siret="1", locale="de")
    fields = [one.field for one in refused.value.refusals]
    assert sorted(map(str, fields)) == ["address", "admin.email", "admin.name", "locale", "name", "offer", "siret"]


@pytest.mark.parametrize("siret", ["73282932000074", "732 829 320 00074", "35600000000048", "35600000012341"])
def test_a_good_siret_passes_those_of_the_post_offices_too(siret: str) -> None:
    assert len(check_siret(siret)) == 14


@pytest.mark.parametrize(
    "siret", ["73282932000075", "35600000012342", "00000000000000", "٧٣٢٨٢٩٣٢٠٠٠٠٧٤", "7328293200007A"]
)
def test_a_wrong_siret_is_refused(siret: str) -> None:
    with pytest.raises(Refusal):
        check_siret(siret)


def at_once(count: int, work: object) -> list[object]:
    """The answers of so many threads that begin together."""
    barrier, answers = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        try:
            answers.append(work(number))  # type: ignore[operator]
        except (Refusal, Refusals) as refused:
            answers.append(refused)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_two_claims_of_an_address_at_once_give_one_winner_and_one_clear_message(desk: Desk) -> None:
    for number in range(10):
        answers = at_once(2, lambda _: desk.order(f"mairie-{number}"))  # noqa: B023 - used at once
        lost = [one for one in answers if isinstance(one, Refusals)]
        assert len(lost) == 1
        assert [(one.code, one.field) for one in lost[0].refusals] == [("address_taken", "address")]
        assert desk.sql("select count(*) from organisation where address = :a", a=f"mairie-{number}") == [1]


def test_looking_first_and_writing_afterwards_would_give_two_winners(desk: Desk, engine: Engine) -> None:
    """The broken control: the check that the form shows is no claim."""
    looked = threading.Barrier(2)

    def naive(_number: int) -> bool:
        with transaction(engine) as session:
            free = organisations.check_address(session, "mairie").free
            looked.wait()
            return free

    assert at_once(2, naive) == [True, True]


def test_a_reservation_keeps_an_address_for_its_sign_up_only(desk: Desk) -> None:
    mine, other = new_id(), new_id()
    soon = datetime.now(UTC) + timedelta(hours=6)
    with transaction(desk.engine) as session:
        assert organisations.reserve_address(session, " Sevres ", mine, soon) == "sevres"
    with transaction(desk.engine) as session:
        assert organisations.check_address(session, "sevres", mine).free
        answer = organisations.check_address(session, "sevres", other)
        assert answer.refusal is not None
        assert (answer.free, answer.refusal.code) == (False, "address_taken")
    with pytest.raises(Refusal, match="taken"), transaction(desk.engine) as session:
        organisations.reserve_address(session, "sevres", other, soon)
    with pytest.raises(Refusals):
        desk.order("sevres")
    assert desk.order("sevres", signup_id=mine).address == "sevres"


def test_a_reservation_that_ran_out_frees_its_address(desk: Desk) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    with transaction(desk.engine) as session:
        organisations.reserve_address(session, "sevres", new_id(), past)
        organisations.reserve_address(session, "other", new_id(), past)
    assert desk.order("sevres").address == "sevres"
    with transaction(desk.engine) as session:
        assert organisations.expire_reservations(session) == 1


def test_a_look_alike_is_flagged_and_not_refused(desk: Desk) -> None:
    desk.order("acme")
    with transaction(desk.engine) as session:
        assert organisations.check_address(session, "acrne") == organisations.AddressAnswer(
            free=True, look_alike="acme"
        )
    assert "look_alike:acme" in desk.order("acrne").flags


@pytest.mark.parametrize(
    ("one", "other"), [("acme", "acrne"), ("lille", "1ille"), ("mairie", "ma-irie"), ("oslo", "0slo")]
)
def test_look_alikes_share_a_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


def test_an_erased_organisations_address_stays_closed_for_a_year(desk: Desk) -> None:
    gone = desk.live("sevres")
    desk.act("close", gone, reason="they leave")
    desk.act("erase", gone, confirm_address="sevres", force=True, reason="they asked")
    with pytest.raises(Refusals):
        desk.order("sevres")
    desk.sql("update address_claim set closed_until = now() - interval '1 second'")
    assert desk.order("sevres").address == "sevres"


def test_an_address_that_nobody_ever_used_is_free_at_once(desk: Desk) -> None:
    never = desk.order("sevres").id
    desk.act("erase", never, confirm_address="sevres")
    assert desk.state(never) == "erased"
    assert desk.order("sevres").address == "sevres"


def visitor(desk: Desk, address: str, **options: object) -> NewOrganisation:
    return desk.new(address, source="signup", offer="team", **options)


def test_a_mailbox_has_one_trial_by_sign_up(desk: Desk) -> None:
    desk.live("one", admin_email="Jeanne+parvis@gmail.com")
    with pytest.raises(Refusals) as refused, transaction(desk.engine) as session:
        organisations.order(session, visitor(desk, "two", admin_email="j.eanne@googlemail.com"), SYSTEM)
    assert [(one.code, one.field) for one in refused.value.refusals] == [("trial_used", "admin.email")]
    assert desk.order("three", admin_email="jeanne@gmail.com").state == "ordered"


def test_a_siret_has_one_trial_by_sign_up_even_after_its_organisation_is_gone(desk: Desk) -> None:
    gone = desk.live("one", siret="73282932000074")
    desk.act("close", gone, reason="they leave")
    desk.act("erase", gone, confirm_address="one", force=True, reason="they asked")
    with pytest.raises(Refusals) as refused, transaction(desk.engine) as session:
        organisations.order(session, visitor(desk, "two", admin_email="x@y.example", siret="73282932000074"), SYSTEM)
    assert [one.field for one in refused.value.refusals] == ["siret"]


def test_a_trial_that_never_became_live_does_not_count(desk: Desk) -> None:
    failed = desk.order("one").id
    desk.becomes_true(failed, "rolled_back")
    with transaction(desk.engine) as session:
        assert organisations.order(session, visitor(desk, "two"), SYSTEM).state == "ordered"


@pytest.mark.parametrize("offer", ["enterprise", "retired", "hidden"])
def test_a_visitor_cannot_take_an_offer_that_is_not_for_him(desk: Desk, offer: str) -> None:
    with transaction(desk.engine) as session:
        from control_plane import catalogue

        team = catalogue.current(session, "team")
        parts = {"names": team.names, "entitlements": team.entitlements, "terms": team.terms, "actor": SYSTEM}
        publish(session, "hidden", public=False, **parts)  # type: ignore[arg-type]
        publish(session, "retired", **parts)  # type: ignore[arg-type]
        retire(session, "retired", actor=SYSTEM)
    with pytest.raises(Refusals) as refused, transaction(desk.engine) as session:
        organisations.order(session, desk.new("two", source="signup", offer=offer), SYSTEM)
    assert [one.field for one in refused.value.refusals] == ["offer"]


def test_a_siret_that_is_known_is_flagged_for_staff(desk: Desk) -> None:
    desk.order("one", siret="73282932000074")
    assert "siret_known" in desk.order("two", siret="73282932000074").flags
    assert "siret_missing" in desk.order("three").flags


def test_folding_forgets_case_accents_and_ligatures() -> None:
    assert fold("  Œuvres d’Éducation — SÈVRES_92 ") == "oeuvres d education sevres 92"


def test_one_mailbox_is_one_key_however_it_is_written() -> None:
    assert len({email_key(one) for one in ("a.b@gmail.com", "AB+x@googlemail.com", "ab@GMAIL.com")}) == 1
    assert email_key("a.b@sevres.example") != email_key("ab@sevres.example")
