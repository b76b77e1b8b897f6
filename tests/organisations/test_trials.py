"""Trials: reminders at 30, 14, 7 and 1 days, read-only at their end, extensions."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from control_plane import catalogue, organisations
from control_plane.audit import SYSTEM
from control_plane.organisations import dates
from kit.db import transaction
from kit.errors import Refusal
from tests.organisations.conftest import Desk


def ends_in(desk: Desk, organisation_id: UUID, days: float) -> None:
    """It has lived for long, and its trial ends in so many days."""
    desk.sql(
        "update organisation set live_at = now() - interval '1 year', trial_ends_at = now() + :left where id = :id",
        left=timedelta(days=days),
        id=organisation_id,
    )


def remind(desk: Desk) -> list[object]:
    with transaction(desk.engine) as session:
        organisations.remind_trials(session)
    return desk.sql("select payload->>'days' from outbox where kind = 'trial_ending' order by id")


def end(desk: Desk) -> int:
    with transaction(desk.engine) as session:
        return organisations.end_trials(session)


def test_reminders_go_out_once_at_each_mark(desk: Desk) -> None:
    one = desk.live()
    for days, reminders in (
        (31, []),
        (29.9, ["30"]),
        (20, ["30"]),
        (13.9, ["30", "14"]),
        (6.9, ["30", "14", "7"]),
        (0.9, ["30", "14", "7", "1"]),
    ):
        ends_in(desk, one, days)
        # The days pass and the end stays: what was written before carries its date.
        desk.sql(
            "update outbox set key = 'trial:' || organisation_id || ':' || :end || ':' || (payload->>'days')"
            " where kind = 'trial_ending'",
            end=str(desk.get(one).trial_ends_at)[:10],
        )
        assert remind(desk) == reminders
        assert remind(desk) == reminders


def test_a_late_look_sends_only_the_nearest_reminder(desk: Desk) -> None:
    ends_in(desk, desk.live(), 5)
    assert remind(desk) == ["7"]


def test_a_trial_that_has_just_begun_is_not_reminded_of_its_whole_length(desk: Desk) -> None:
    one = desk.live(offer="team")
    assert remind(desk) == []
    desk.sql("update organisation set trial_ends_at = now() + interval '20 hours' where id = :id", id=one)
    assert remind(desk) == ["1"]


@pytest.mark.parametrize("action", ["suspend", "close"])
def test_who_is_held_or_leaving_is_not_reminded(desk: Desk, action: str) -> None:
    one = desk.live()
    desk.act(action, one, reason="a good one")
    ends_in(desk, one, 5)
    assert remind(desk) == []


def test_an_ended_trial_becomes_read_only_once_by_a_contract_hold(desk: Desk) -> None:
    one = desk.live()
    ends_in(desk, one, -0.001)
    assert (end(desk), end(desk)) == (1, 0)
    desk.becomes_true(one)
    assert desk.state(one) == "read_only"
    with transaction(desk.engine) as session:
        assert [hold.kind for hold in organisations.holds(session, one, standing_only=True)] == ["contract"]
    assert "trial_ended" in desk.sql("select kind from outbox")


def test_a_trial_that_another_offer_follows_moves_there(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        team = catalogue.current(session, "team")
        catalogue.publish(
            session,
            "team",
            names=team.names,
            entitlements=team.entitlements,
            terms=msgspec.structs.replace(team.terms, follows="business"),
            actor=SYSTEM,
        )
    one = desk.live(offer="team")
    ends_in(desk, one, -0.001)
    assert end(desk) == 1
    desk.becomes_true(one)
    row = desk.get(one)
    assert (row.state, row.offer_code, row.trial_ends_at) == ("live", "business", None)
    assert end(desk) == 0


def test_an_extension_moves_the_end_and_lifts_what_the_end_had_placed(desk: Desk) -> None:
    one = desk.live()
    ends_in(desk, one, -0.001)
    end(desk)
    desk.becomes_true(one)
    until = dates.today() + timedelta(days=40)
    desk.act("extend_trial", one, until=until, reason="they asked")
    row = desk.get(one)
    assert row.state == "live"
    assert row.trial_ends_at == dates.end_of_day(until)
    assert end(desk) == 0


def test_lifting_the_contract_hold_means_they_stay(desk: Desk) -> None:
    one = desk.live()
    ends_in(desk, one, -0.001)
    end(desk)
    desk.becomes_true(one)
    desk.act("resume", one, kind="contract")
    assert (desk.state(one), desk.get(one).trial_ends_at, end(desk)) == ("live", None, 0)


@pytest.mark.parametrize(
    "until", [date(2020, 1, 1), date(2026, 12, 1), date(2099, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)]
)
def test_an_extension_lies_after_the_present_end_and_within_two_years(desk: Desk, until: date) -> None:
    one = desk.live()
    desk.sql("update organisation set trial_ends_at = now() + interval '1 year'")
    with pytest.raises(Refusal) as refused:
        desk.act("extend_trial", one, until=until, reason="they asked")
    assert refused.value.field == "until"


def test_what_has_no_trial_cannot_be_extended(desk: Desk) -> None:
    one = desk.live(offer="enterprise")
    with pytest.raises(Refusal, match="no trial"):
        desk.act("extend_trial", one, until=date(2027, 6, 1), reason="they asked")
