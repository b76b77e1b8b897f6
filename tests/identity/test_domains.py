"""A domain is an organisation's once its keeper has set a record that only he can set, and as long as it stands."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from control_plane import identity
from control_plane.identity import Answer, DomainView, chores
from control_plane.identity.domains import apply as applied
from control_plane.identity.proving import ask_all, verdict
from kit.db import transaction
from kit.errors import Refusal
from tests.identity.organisations import ADA, Setting
from tests.world.names import NameServer


def name() -> str:
    return f"acme-{uuid4().hex[:10]}.example"


def check(acme: Setting, view: DomainView) -> DomainView:
    checked: DomainView = acme.with_settings(identity.check_domain, view.id, actor=ADA)
    return checked


def later(acme: Setting, view: DomainView, column: str, ago: timedelta) -> None:
    acme.house.sql(
        f"update organisation_domain set {column} = :at where id = :id", at=datetime.now(UTC) - ago, id=view.id
    )


def look(acme: Setting, view: DomainView) -> DomainView:
    """The sweep comes by."""
    later(acme, view, "check_at", timedelta(seconds=1))
    identity.keep_domains(acme.house.engine, acme.settings)
    found: DomainView = acme.call(identity.domain, view.id)
    return found


def test_a_claim_tells_the_record_and_what_each_name_server_sees(acme: Setting) -> None:
    view: DomainView = acme.call(identity.claim_domain, name(), actor=ADA)
    assert view.record_name == f"_parvis-challenge.{view.name}"
    assert view.record_value.startswith("parvis-verification=")
    assert (view.state, view.proven, acme.published().domains) == ("pending", False, ())
    first, second, third = acme.servers
    first.texts[view.record_name] = ["another-verification=1", view.record_value]
    second.texts[view.record_name] = []
    checked = check(acme, view)
    assert checked.state == "pending"
    assert checked.answers == (
        Answer(first.told, ok=True, seen=("another-verification=1", view.record_value)),
        Answer(second.told, ok=False, trouble="no_record"),
        Answer(third.told, ok=False, trouble="no_name"),
    )


def test_once_most_name_servers_see_the_record_it_is_proven_and_published(acme: Setting) -> None:
    view: DomainView = acme.call(identity.claim_domain, name(), actor=ADA)
    acme.prove(view, *acme.servers[:2])
    assert check(acme, view).proven
    assert acme.published().domains == (view.name,)
    assert acme.verbs()[-2:] == ["domain.claimed", "domain.proven"]
    with transaction(acme.house.engine) as session:
        assert identity.captured_by(session, f"Jeanne@{view.name.upper()}") == acme.organisation_id
        assert identity.captured_by(session, f"jeanne@mail.{view.name}") is None
    acme.call(identity.set_capture, view.id, False, actor=ADA)
    with transaction(acme.house.engine) as session:
        assert identity.captured_by(session, f"jeanne@{view.name}") is None


def test_a_long_answer_comes_by_tcp(acme: Setting) -> None:
    view: DomainView = acme.call(identity.claim_domain, name(), actor=ADA)
    for server in acme.servers:
        server.texts[view.record_name] = [*(f"note {number} " + "x" * 180 for number in range(5)), view.record_value]
    assert check(acme, view).proven


def test_the_control_another_organisations_record_proves_nothing(acme: Setting, rival: Setting) -> None:
    domain = name()
    mine: DomainView = acme.call(identity.claim_domain, domain, actor=ADA)
    theirs: DomainView = rival.call(identity.claim_domain, domain, actor=ADA)
    assert mine.record_value != theirs.record_value
    rival.prove(theirs)
    assert check(acme, mine).state == "pending"
    assert check(rival, theirs).proven


def test_of_two_who_claim_a_domain_the_first_to_prove_it_has_it(acme: Setting, rival: Setting) -> None:
    proven = acme.proven(name())
    second: DomainView = rival.call(identity.claim_domain, proven.name, actor=ADA)
    rival.prove(second)
    with pytest.raises(Refusal) as refusal:
        check(rival, second)
    assert (refusal.value.code, refusal.value.status) == ("domain_taken", 409)
    assert look(rival, second).state == "pending"
    assert rival.published().domains == ()


def test_a_domain_of_somebody_else_is_not_to_be_seen(acme: Setting, rival: Setting) -> None:
    proven = acme.proven(name())
    for ask in (
        lambda: rival.call(identity.domain, proven.id),
        lambda: rival.call(identity.remove_domain, proven.id, actor=ADA),
        lambda: check(rival, proven),
        lambda: rival.call(identity.set_capture, proven.id, False, actor=ADA),
    ):
        with pytest.raises(Refusal) as refusal:
            ask()
        assert refusal.value.status == 404


def test_a_proof_that_goes_away_warns_and_counts_for_a_week_more(acme: Setting) -> None:
    view = acme.proven(name())
    acme.withdraw(view)
    failing = look(acme, view)
    assert (failing.state, failing.proven) == ("failing", True)
    assert failing.lost_after is not None
    assert acme.published().domains == (view.name,)
    later(acme, view, "failing_since", timedelta(days=6))
    assert look(acme, view).state == "failing"
    later(acme, view, "failing_since", timedelta(days=7, minutes=1))
    assert look(acme, view).state == "lost"
    assert acme.published().domains == ()
    kinds = [mail.kind for mail in acme.house.sent if mail.organisation_id == acme.organisation_id]
    assert [kind for kind in kinds if kind.startswith("domain")] == ["domain_failing", "domain_lost"]
    acme.prove(view)
    assert check(acme, view).state == "proven"
    assert acme.published().domains == (view.name,)


def test_a_proof_that_comes_back_in_time_is_as_good_as_ever(acme: Setting) -> None:
    view = acme.proven(name())
    acme.withdraw(view)
    assert look(acme, view).state == "failing"
    acme.prove(view)
    again = look(acme, view)
    assert (again.state, again.failing_since, again.proven_at) == ("proven", None, view.proven_at)


def test_name_servers_that_say_nothing_take_nothing_away(acme: Setting) -> None:
    view = acme.proven(name())
    acme.withdraw(view)
    for server in acme.servers:
        server.broken = True
    checked = look(acme, view)
    assert checked.state == "proven"
    assert {answer.trouble for answer in checked.answers} == {"failed"}


def test_a_silent_name_server_is_waited_for_only_a_moment(servers: list[NameServer]) -> None:
    servers[0].silent = True
    answers = ask_all([one.resolver for one in servers], "acme.example", "token")
    assert [answer.trouble for answer in answers] == ["timeout", "no_name", "no_name"]


def test_the_sweep_proves_a_pending_claim_by_itself_and_once_a_day_looks_again(acme: Setting) -> None:
    view: DomainView = acme.call(identity.claim_domain, name(), actor=ADA)
    acme.prove(view)
    assert look(acme, view).state == "proven"
    asked = acme.servers[0].asked.count(view.record_name)
    identity.keep_domains(acme.house.engine, acme.settings)
    assert acme.servers[0].asked.count(view.record_name) == asked
    ((due,),) = acme.house.sql("select check_at from organisation_domain where id = :id", id=view.id)
    assert timedelta(hours=23) < due - datetime.now(UTC) < timedelta(hours=25)


def test_two_sweeps_at_once_ask_once(acme: Setting) -> None:
    view: DomainView = acme.call(identity.claim_domain, name(), actor=ADA)
    due_now(acme, view)
    acme.servers[0].silent = True
    with ThreadPoolExecutor(2) as threads:
        sweeps = [threads.submit(identity.keep_domains, acme.house.engine, acme.settings) for _ in range(2)]
        assert sorted(sweep.result() for sweep in sweeps) == [0, 1]


def test_one_that_stumbles_is_put_off_and_keeps_no_other_back(
    acme: Setting, rival: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    stumbling: DomainView = acme.call(identity.claim_domain, name(), actor=ADA)
    other: DomainView = rival.call(identity.claim_domain, name(), actor=ADA)
    rival.prove(other)

    def apply(session: Any, row: Any, *given: Any) -> Any:
        if row.id == stumbling.id:
            raise RuntimeError("a bug")
        return applied(session, row, *given)

    monkeypatch.setattr(chores, "apply", apply)
    due_now(acme, stumbling, other)
    identity.keep_domains(acme.house.engine, acme.settings)
    assert rival.call(identity.domain, other.id).state == "proven"
    assert identity.keep_domains(acme.house.engine, acme.settings) == 0, "not again and again"
    assert acme.call(identity.domain, stumbling.id).state == "pending"


def due_now(acme: Setting, *views: DomainView) -> None:
    """These and no others."""
    acme.house.sql("update organisation_domain set check_at = null")
    for view in views:
        acme.house.sql("update organisation_domain set check_at = now() where id = :id", id=view.id)


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ("+", True),
        ("-", False),
        ("?", None),
        ("++-", True),
        ("+--", False),
        ("+?-", False),
        ("+??", None),
        ("++??", None),
        ("", None),
    ],
)
def test_more_than_half_decide(said: str, stands: bool | None) -> None:
    kinds = {
        "+": Answer("x", ok=True),
        "-": Answer("x", ok=False, trouble="no_name"),
        "?": Answer("x", False, (), "timeout"),
    }
    assert verdict([kinds[one] for one in said]) is stands


def test_a_removed_domain_counts_no_more(acme: Setting) -> None:
    view = acme.proven(name())
    acme.call(identity.remove_domain, view.id, actor=ADA)
    assert acme.published().domains == ()
    assert acme.verbs()[-1] == "domain.removed"


def test_claiming_twice_is_claiming_once(acme: Setting) -> None:
    domain = name()
    first = acme.call(identity.claim_domain, domain, actor=ADA)
    assert acme.call(identity.claim_domain, f" @{domain.upper()}", actor=ADA).record_value == first.record_value


def test_an_organisation_that_is_not_live_sets_nothing_up(acme: Setting) -> None:
    with pytest.raises(Refusal) as refusal:
        Setting(acme.house, acme.settings, acme.servers, acme.house.order()).call(
            identity.claim_domain, name(), actor=ADA
        )
    assert refusal.value.code == "wrong_state"
