"""Nobody is shut out: a stage is to be had with proof only, enforcement wants two ways back, and reverts by itself."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from control_plane import identity
from control_plane.identity import ConnectionChange, ConnectionView, PolicyChange
from kit.errors import Refusal, Refusals
from tests.identity.connections import certificate, metadata, saml
from tests.identity.organisations import ADA, Setting


def stage(acme: Setting, view: ConnectionView, wanted: str) -> ConnectionView:
    moved: ConnectionView = acme.call(identity.stage_connection, view.id, wanted, actor=ADA)
    return moved


def refused(acme: Setting, view: ConnectionView, wanted: str) -> list[str]:
    with pytest.raises(Refusals) as refusals:
        stage(acme, view, wanted)
    told = acme.call(identity.obstacles, view.id, wanted)
    assert [one.code for one in told] == [one.code for one in refusals.value.refusals]
    return [one.code for one in told]


def break_glass(acme: Setting, *people: UUID) -> None:
    acme.call(identity.set_policy, PolicyChange(break_glass=list(people)), actor=ADA)


def pilot(acme: Setting) -> ConnectionView:
    """A connection in its pilot, with two break-glass accounts."""
    domain = acme.proven(f"acme-{uuid4().hex[:8]}.example")
    made = saml(acme, domains=[domain.name])
    acme.went(made.id, "test")
    break_glass(acme, acme.person("Ada", passkeys=1), acme.person("Grace", 3, passkeys=2))
    return stage(acme, made, "pilot")


def enforced(acme: Setting) -> ConnectionView:
    made = pilot(acme)
    acme.went(made.id, "sign_in", acme.person("Linus"))
    return stage(acme, made, "enforced")


def test_a_draft_is_tested_once_a_test_with_its_settings_went_through(acme: Setting) -> None:
    made = saml(acme)
    assert refused(acme, made, "tested") == ["stage_untested"]
    acme.went(made.id, "test", refusal="saml_audience")
    assert refused(acme, made, "tested") == ["stage_untested"]
    acme.went(made.id, "test")
    assert stage(acme, made, "tested").stage == "tested"
    assert acme.published().connections[0].stage == "tested"
    # Another provider behind it: what was tested is not what is there.
    change = ConnectionChange(metadata_xml=metadata(certificate(), sso="https://idp.example/other"))
    changed = acme.with_settings(identity.change_connection, made.id, change, actor=ADA)
    assert changed.stage == "draft"
    assert refused(acme, made, "tested") == ["stage_untested"]


def test_a_pilot_wants_a_proven_domain(acme: Setting) -> None:
    made = saml(acme, domains=["unproven.example"])
    acme.went(made.id, "test")
    assert refused(acme, made, "pilot") == ["stage_domains"]


def test_enforcing_wants_an_administrator_who_came_in_and_two_who_always_can(acme: Setting) -> None:
    domain = acme.proven(f"acme-{uuid4().hex[:8]}.example")
    made = saml(acme, domains=[domain.name])
    assert refused(acme, made, "enforced") == ["stage_untested", "stage_administrator", "stage_break_glass"]
    acme.went(made.id, "test")
    member, chief = acme.person("Bob", 1), acme.person("Ada", passkeys=1)
    acme.went(made.id, "sign_in", member)
    assert refused(acme, made, "enforced") == ["stage_administrator", "stage_break_glass"]
    acme.went(made.id, "sign_in", chief)
    without_passkey = acme.person("Grace")
    break_glass(acme, chief, without_passkey)
    assert refused(acme, made, "enforced") == ["stage_break_glass"]
    acme.sql("insert into ~.credential (id, principal_id, kind) values (%s, %s, 'k')", uuid4(), without_passkey)
    acme.sql("update ~.sso_trace set created_at = now() - interval '25 hours' where purpose = 'sign_in'")
    assert refused(acme, made, "enforced") == ["stage_administrator"]
    acme.went(made.id, "sign_in", chief)
    held = stage(acme, made, "enforced")
    assert held.reverts_at is not None
    assert timedelta(minutes=59) < held.reverts_at - datetime.now(UTC) <= timedelta(hours=1)
    assert acme.published().connections[0].reverts_at == held.reverts_at


def test_enforcement_that_no_administrator_came_in_by_goes_back_to_pilot_and_tells(acme: Setting) -> None:
    made = enforced(acme)
    identity.keep_enforcement(acme.house.engine)
    assert acme.call(identity.connection, made.id).stage == "enforced"
    acme.went(made.id, "sign_in", acme.person("Bob", 1))
    hour_over(acme, made)
    identity.keep_enforcement(acme.house.engine)
    assert acme.call(identity.connection, made.id).stage == "pilot"
    found = acme.published().connections[0]
    assert (found.stage, found.reverts_at) == ("pilot", None)
    assert "connection.reverted" in acme.verbs()
    assert "connection_reverted" in [m.kind for m in acme.house.sent if m.organisation_id == acme.organisation_id]


def hour_over(acme: Setting, made: ConnectionView) -> None:
    acme.house.sql(
        "update sign_in_connection set reverts_at = reverts_at - interval '1 hour' where id = :id", id=made.id
    )


def test_the_control_enforcement_that_an_administrator_came_in_by_stays(acme: Setting) -> None:
    made = enforced(acme)
    acme.went(made.id, "sign_in", acme.person("Margaret"))
    identity.keep_enforcement(acme.house.engine)
    kept = acme.call(identity.connection, made.id)
    assert (kept.stage, kept.reverts_at) == ("enforced", None)
    assert acme.published().connections[0].reverts_at is None


def test_new_settings_of_an_enforced_connection_are_on_trial_again(acme: Setting) -> None:
    made = enforced(acme)
    acme.went(made.id, "sign_in", acme.person("Margaret"))
    identity.keep_enforcement(acme.house.engine)
    change = ConnectionChange(metadata_xml=metadata(certificate(), sso="https://idp.example/other"))
    changed = acme.with_settings(identity.change_connection, made.id, change, actor=ADA)
    assert changed.stage == "enforced"
    assert changed.reverts_at is not None


def test_what_is_enforced_is_neither_removed_nor_robbed_of_its_way_back(acme: Setting) -> None:
    made = enforced(acme)
    with pytest.raises(Refusal) as refusal:
        acme.call(identity.remove_connection, made.id, actor=ADA)
    assert refusal.value.code == "connection_enforced"
    with pytest.raises(Refusal) as refusal:
        acme.call(identity.remove_domain, made.proven_domains[0], actor=ADA)
    assert refusal.value.code == "domain_enforced"
    bob, eve, kay = acme.person("Bob"), acme.person("Eve"), acme.person("Kay", passkeys=1)
    for left in ([], [bob, eve], [bob, kay]):
        with pytest.raises(Refusals) as refusals:
            break_glass(acme, *left)
        assert [one.code for one in refusals.value.refusals] == ["break_glass_few"], (
            "each needs a passkey to come in by"
        )
    mia, noa = acme.person("Mia", passkeys=1), acme.person("Noa", passkeys=1)
    break_glass(acme, mia, noa)
    acme.sql("delete from ~.credential where principal_id = %s", noa)
    # What stands already keeps nobody from changing the rest.
    acme.call(identity.set_policy, PolicyChange(break_glass=[mia, noa], second_factor=True), actor=ADA)
    assert stage(acme, made, "draft").stage == "draft"
    acme.call(identity.remove_connection, made.id, actor=ADA)
    assert [verb for verb in acme.verbs() if verb.startswith("connection")][-2:] == [
        "connection.staged",
        "connection.removed",
    ]


def test_enforcement_governs_nobody_of_a_domain_that_was_lost_until_it_is_proven_again(acme: Setting) -> None:
    made = enforced(acme)
    ((domain,),) = acme.house.sql(
        "select id from organisation_domain where organisation_id = :id", id=acme.organisation_id
    )
    view = acme.call(identity.domain, domain)
    acme.withdraw(view)
    acme.with_settings(identity.check_domain, domain, actor=ADA)
    assert acme.published().connections[0].domains == (view.name,), "for a week it counts"
    acme.house.sql("update organisation_domain set failing_since = now() - interval '8 days' where id = :id", id=domain)
    assert acme.with_settings(identity.check_domain, domain, actor=ADA).state == "lost"
    found = acme.published().connections[0]
    assert (found.stage, found.domains) == ("enforced", ())
    shown = acme.call(identity.connection, made.id)
    assert (shown.domains, shown.proven_domains) == ((view.name,), ())
    acme.prove(view)
    acme.with_settings(identity.check_domain, domain, actor=ADA)
    assert acme.published().connections[0].domains == (view.name,)


def test_a_stage_that_does_not_exist_is_refused(acme: Setting) -> None:
    made = saml(acme)
    assert refused(acme, made, "everywhere") == ["unknown_stage"]
