"""The state graph: what may follow what, held by the database itself; holds; closing; erasing."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane import audit, catalogue, organisations, provisioning
from control_plane.audit import SYSTEM, Filter
from control_plane.organisations import STATES
from kit.db import transaction
from kit.errors import Refusal, Refusals
from tests.organisations.conftest import Desk

GRAPH = {
    "ordered": {"provisioning", "failed", "closing", "erased"},
    "provisioning": {"live", "read_only", "suspended", "failed", "closing", "erased"},
    "failed": {"provisioning", "erased"},
    "live": {"read_only", "suspended", "closing"},
    "read_only": {"live", "suspended", "closing"},
    "suspended": {"live", "read_only", "closing"},
    "closing": {"live", "read_only", "suspended", "erased"},
    "erased": set(),
}
WAY = {
    "ordered": [],
    "provisioning": ["provisioning"],
    "failed": ["failed"],
    "live": ["provisioning", "live"],
    "read_only": ["provisioning", "read_only"],
    "suspended": ["provisioning", "suspended"],
    "closing": ["provisioning", "live", "closing"],
    "erased": ["erased"],
}


def lead(desk: Desk, organisation_id: UUID, state: str) -> None:
    desk.sql("update organisation set state = :state where id = :id", state=state, id=organisation_id)


def test_the_database_itself_allows_the_graphs_steps_and_refuses_every_other(desk: Desk) -> None:
    for number, before in enumerate(STATES):
        for other, after in enumerate(STATES):
            one = desk.order(f"a{number}-{other}").id
            for state in WAY[before]:
                lead(desk, one, state)
            if after in GRAPH[before] | {before}:
                lead(desk, one, after)
                assert desk.state(one) == after
            else:
                with pytest.raises(DBAPIError, match=f"cannot go from {before} to {after}"):
                    lead(desk, one, after)
                assert desk.state(one) == before


def test_the_database_lets_no_organisation_begin_otherwise_than_ordered(desk: Desk) -> None:
    desk.order()
    for state in STATES:
        with desk.engine.begin() as connection:
            connection.exec_driver_sql("create temporary table one as select * from organisation")
            connection.exec_driver_sql(f"update one set id = gen_random_uuid(), state = '{state}'")
            nested = connection.begin_nested()
            if state == "ordered":
                connection.exec_driver_sql("insert into organisation select * from one")
            else:
                with pytest.raises(DBAPIError, match="begins as ordered"):
                    connection.exec_driver_sql("insert into organisation select * from one")
            nested.rollback()
            connection.exec_driver_sql("drop table one")


def test_an_order_becomes_live_and_says_so_by_event_and_mail(desk: Desk) -> None:
    one = desk.live()
    assert desk.state(one) == "live"
    assert desk.get(one).live_at is not None
    assert desk.sql("select kind from outbox") == ["ready"]
    with transaction(desk.engine) as session:
        verbs = [event.verb for event in audit.events(session, Filter(organisation_id=one)).items]
    assert verbs == ["organisation.live", "organisation.provisioning", "organisation.ordered"]


def test_a_creation_that_failed_keeps_its_reason_and_its_address_and_can_be_tried_again(desk: Desk) -> None:
    one = desk.order().id
    desk.becomes_true(one, "rolled_back")
    assert (desk.state(one), desk.get(one).failure) == ("failed", "why")
    desk.becomes_true(one)
    assert (desk.state(one), desk.get(one).failure) == ("live", None)


def test_each_kind_of_hold_is_lifted_on_its_own_and_the_strictest_counts(desk: Desk) -> None:
    one = desk.live()
    desk.act("read_only", one, reason="maintenance", kind="technical")
    assert desk.state(one) == "read_only"
    desk.act("suspend", one, reason="not paid", kind="billing")
    assert desk.state(one) == "suspended"
    desk.act("resume", one, kind="billing")
    assert desk.state(one) == "read_only"
    desk.act("resume", one, kind="technical")
    assert desk.state(one) == "live"
    with transaction(desk.engine) as session:
        assert organisations.holds(session, one, standing_only=True) == []
        assert [(hold.kind, hold.effect) for hold in organisations.holds(session, one)] == [
            ("billing", "suspended"),
            ("technical", "read_only"),
        ]


def test_a_hold_is_placed_once_and_a_stricter_one_of_its_kind_replaces_it(desk: Desk) -> None:
    one = desk.live()
    desk.act("read_only", one, reason="not paid", kind="billing")
    with pytest.raises(Refusal, match="stands already"):
        desk.act("read_only", one, reason="not paid", kind="billing")
    desk.act("suspend", one, reason="still not paid", kind="billing")
    with transaction(desk.engine) as session:
        assert [hold.effect for hold in organisations.holds(session, one, standing_only=True)] == ["suspended"]


def test_a_payment_cannot_lift_a_technical_hold(desk: Desk) -> None:
    one = desk.live()
    desk.act("suspend", one, reason="an attack", kind="technical")
    with pytest.raises(Refusal, match="No billing hold stands"):
        desk.act("resume", one, kind="billing")
    assert desk.state(one) == "suspended"


def test_the_database_itself_lets_one_hold_of_a_kind_stand(desk: Desk) -> None:
    one = desk.live()
    desk.act("suspend", one, reason="an attack")
    columns = "organisation_id, kind, effect, reason, placed_by"
    with pytest.raises(DBAPIError, match="uq_hold_standing"):
        desk.sql(f"insert into hold (id, {columns}) select gen_random_uuid(), {columns} from hold")


@pytest.mark.parametrize("reason", ["", "  ", "no", "x" * 501])
def test_a_hold_needs_a_reason_that_the_next_person_understands(desk: Desk, reason: str) -> None:
    one = desk.live()
    with pytest.raises(Refusal) as refused:
        desk.act("suspend", one, reason=reason)
    assert refused.value.field == "reason"
    assert desk.state(one) == "live"


def test_closing_gives_notice_can_be_taken_back_and_ends_in_erasure(desk: Desk) -> None:
    one = desk.live()
    desk.act("close", one, reason="they leave")
    row = desk.get(one)
    assert row.state == "closing"
    assert row.erase_after is not None
    assert timedelta(days=20) < row.erase_after - datetime.now(UTC) < timedelta(days=22)
    desk.act("reopen", one)
    assert (desk.state(one), desk.get(one).erase_after) == ("live", None)
    desk.act("close", one, reason="they leave after all")
    with pytest.raises(Refusal, match="notice runs until"):
        desk.act("erase", one, confirm_address="sevres")
    desk.sql("update organisation set erase_after = now() - interval '1 second'")
    desk.act("erase", one, confirm_address=" SEVRES ")
    row = desk.get(one)
    assert (row.state, row.admin_email, row.admin_name) == ("erased", "", "")
    assert "jeanne" not in row.search_text
    assert desk.sql("select payload::text from outbox") == ["{}", "{}", "{}"]


def test_reopening_restores_the_holds_that_stood(desk: Desk) -> None:
    one = desk.live()
    desk.act("suspend", one, reason="an attack")
    desk.act("close", one, reason="they leave")
    desk.act("reopen", one)
    assert desk.state(one) == "suspended"


def test_erasing_takes_the_address_typed_again_and_force_takes_a_reason(desk: Desk) -> None:
    one = desk.live()
    with pytest.raises(Refusal, match="Close it first"):
        desk.act("erase", one, confirm_address="sevres", force=True, reason="they asked")
    desk.act("close", one, reason="they leave")
    for options, field in (
        ({"confirm_address": "sevre", "force": True, "reason": "they asked"}, "confirm_address"),
        ({"confirm_address": "sevres", "force": True}, "reason"),
    ):
        with pytest.raises(Refusal) as refused:
            desk.act("erase", one, **options)
        assert refused.value.field == field
    assert desk.state(one) == "closing"


def test_while_it_is_being_erased_nothing_else_can_be_asked(desk: Desk) -> None:
    one = desk.live()
    desk.act("close", one, reason="they leave")
    with transaction(desk.engine) as session:
        organisations.erase(session, one, actor=SYSTEM, confirm_address="sevres", force=True, reason="they asked")
    for action, options in (
        ("reopen", {}),
        ("erase", {"confirm_address": "sevres", "force": True, "reason": "they asked"}),
        ("suspend", {"reason": "an attack"}),
        ("close", {"reason": "they leave"}),
        ("change_offer", {"offer": "team"}),
        ("rename", {"name": "Other"}),
    ):
        with pytest.raises(Refusal) as refused, transaction(desk.engine) as session:
            getattr(organisations, action)(session, one, actor=SYSTEM, **options)
        assert refused.value.status == 409, action


ASKED = {
    "suspend": {"reason": "an attack"},
    "read_only": {"reason": "an attack"},
    "resume": {},
    "close": {"reason": "they leave"},
    "reopen": {},
    "change_offer": {"offer": "team"},
    "rename": {"name": "Other"},
    "extend_trial": {"until": datetime(2028, 1, 1, tzinfo=UTC), "reason": "they asked"},
}


@pytest.mark.parametrize("state", ["ordered", "provisioning", "failed", "erased"])
def test_what_does_not_fit_the_state_is_refused_and_changes_nothing(desk: Desk, state: str) -> None:
    one = desk.order().id
    for step in WAY[state]:
        lead(desk, one, step)
    before = desk.sql("select count(*) from audit_event")
    for action, options in ASKED.items():
        with pytest.raises(Refusal) as refused, transaction(desk.engine) as session:
            getattr(organisations, action)(session, one, actor=SYSTEM, **options)
        assert refused.value.status == 409, action
    assert desk.sql("select count(*) from audit_event") == before


def test_a_writer_who_saw_an_older_revision_is_refused(desk: Desk) -> None:
    one = desk.live()
    seen = desk.get(one).revision
    desk.act("rename", one, name="Ville de Sèvres", revision=seen)
    with pytest.raises(Refusal) as refused:
        desk.act("rename", one, name="Other", revision=seen)
    assert (refused.value.code, refused.value.status) == ("stale", 412)
    assert desk.get(one).name == "Ville de Sèvres"


def test_changing_the_offer_moves_to_its_current_version_and_no_change_is_refused(desk: Desk) -> None:
    one = desk.live()
    desk.act("change_offer", one, offer="business")
    row = desk.get(one)
    assert (row.offer_code, row.offer_version) == ("business", 1)
    with transaction(desk.engine) as session:
        assert organisations.entitled(session, row).members == 250
    with pytest.raises(Refusal) as refused:
        desk.act("change_offer", one, offer="business")
    assert (refused.value.code, refused.value.field) == ("offer_unchanged", "offer")


def test_every_change_has_its_event_in_the_same_transaction(desk: Desk) -> None:
    one = desk.live()
    for action, options, verb in (
        ("rename", {"name": "Ville"}, "organisation.renamed"),
        ("suspend", {"reason": "an attack"}, "organisation.hold_placed"),
        ("resume", {}, "organisation.hold_lifted"),
        ("change_offer", {"offer": "team"}, "organisation.offer_changed"),
        ("close", {"reason": "they leave"}, "organisation.closing_asked"),
        ("reopen", {}, "organisation.reopening_asked"),
    ):
        with transaction(desk.engine) as session:
            getattr(organisations, action)(session, one, actor=SYSTEM, **options)
            assert verb in [event.verb for event in audit.events(session, Filter(organisation_id=one)).items][:2]
        desk.becomes_true(one)
    with transaction(desk.engine) as session:
        ids = [row[0] for row in session.execute(text("select id from organisation"))]
        assert audit.verify(session, audit.audit_key(session), expected=ids).ok


def test_a_preview_tells_the_effects_and_changes_nothing(desk: Desk) -> None:
    one = desk.live()
    counted = (
        "select (select count(*) from audit_event) + (select count(*) from operation) + (select count(*) from outbox)"
    )
    before = desk.sql(counted)
    with transaction(desk.engine) as session:
        effects = organisations.preview(session, one, "change_offer", offer="team")
        assert effects.allowed
        texts = [str(line) for line in effects.lines]
        assert "The limit of members goes from None to 15." in texts
        assert "It loses public_links." in texts
        refused = organisations.preview(session, one, "resume")
        assert refused.refusal is not None
        assert (refused.allowed, refused.refusal.code) == (False, "no_such_hold")
        assert organisations.preview(session, one, "suspend", reason="an attack").allowed
        assert not organisations.preview(session, one, "erase").allowed
        assert session.info.get("after_commit", []) == []
    assert desk.sql(counted) == before
    assert desk.state(one) == "live"
    with transaction(desk.engine) as session:
        assert provisioning.current_operation(session, one).kind == "create"  # type: ignore[union-attr]


def publish_sealed(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        team = catalogue.current(session, "team")
        granted = msgspec.structs.replace(team.entitlements, encryption="tenant")
        catalogue.publish(
            session, "sealed-team", names=team.names, entitlements=granted, terms=team.terms, actor=SYSTEM
        )


def test_an_offer_with_own_keys_is_refused_where_the_store_has_none(desk: Desk) -> None:
    publish_sealed(desk)
    one = desk.live()
    with transaction(desk.engine) as session:
        refused = organisations.preview(session, one, "change_offer", offer="sealed-team").refusal
    assert refused is not None
    assert (refused.code, refused.field) == ("cell_unfit", "offer")
    with pytest.raises(Refusals) as no_room:
        desk.order("meudon", offer="sealed-team")
    assert no_room.value.refusals[0].code == "no_room"
    desk.sql("update cell set store = store || '{\"tenant_keys\": true}'")
    with transaction(desk.engine) as session:
        told = organisations.preview(session, one, "change_offer", offer="sealed-team")
    assert told.allowed
    assert "New files are encrypted by a key of its own; older ones stay as they are." in [str(x) for x in told.lines]
    desk.act("change_offer", one, offer="sealed-team")
    with transaction(desk.engine) as session:
        told = organisations.preview(session, one, "change_offer", offer="team")
    assert any("store's key only" in str(line) for line in told.lines)
    assert desk.order("meudon", offer="sealed-team")
