"""Policies, tokens of directories, set-up links."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from control_plane import identity
from control_plane.identity import PolicyChange, PolicyView
from kit.db import transaction
from kit.errors import Refusal, Refusals
from tests.identity.organisations import ADA, Setting


def set_policy(acme: Setting, ip: str | None = None, **fields: object) -> PolicyView:
    changed: PolicyView = acme.call(identity.set_policy, PolicyChange(**fields), actor=ADA, ip=ip)  # type: ignore[arg-type]
    return changed


def wrong(acme: Setting, ip: str | None = None, **fields: object) -> list[tuple[str, str | None]]:
    with pytest.raises(Refusals) as refusals:
        set_policy(acme, ip, **fields)
    return [(one.code, one.field) for one in refusals.value.refusals]


def test_a_policy_is_published_and_tells_its_difference(acme: Setting) -> None:
    assert acme.call(identity.policy).revision == 0
    ada = acme.person("Ada")
    made = set_policy(acme, session_seconds=3600, networks=["192.0.2.7/24", " 2001:db8::/32"], break_glass=[ada])
    assert made.networks == ("192.0.2.0/24", "2001:db8::/32")
    published = acme.published().policy
    assert (published.session_seconds, published.networks, published.break_glass) == (3600, made.networks, (ada,))
    assert set_policy(acme, session_seconds=None, second_factor=True).networks == made.networks
    told = acme.event("policy.changed")
    assert told == {
        "before": {"session_seconds": 3600, "second_factor": False},
        "after": {"session_seconds": None, "second_factor": True},
    }
    assert acme.published().policy.session_seconds is None


def test_each_wrong_field_of_a_policy_is_named(acme: Setting) -> None:
    member = acme.person("Bob", 1)
    assert wrong(acme, session_seconds=1, idle_seconds=10**9, brake_percent=0) == [
        ("out_of_bounds", "session_seconds"),
        ("out_of_bounds", "idle_seconds"),
        ("out_of_bounds", "brake_percent"),
    ]
    assert wrong(acme, networks=["everywhere"]) == [("network_invalid", "networks")]
    assert wrong(acme, break_glass=[member, uuid4()]) == [("break_glass_person", "break_glass")] * 2


def test_nobody_shuts_himself_out_by_a_list_of_networks(acme: Setting) -> None:
    assert wrong(acme, ip="203.0.113.9", networks=["192.0.2.0/24"]) == [("network_own", "networks")]
    assert set_policy(acme, "192.0.2.9", networks=["192.0.2.0/24"]).networks


def test_who_saw_an_older_policy_changes_nothing(acme: Setting) -> None:
    set_policy(acme, second_factor=True)
    with pytest.raises(Refusal) as refusal:
        acme.call(identity.set_policy, PolicyChange(second_factor=False), actor=ADA, revision=0)
    assert refusal.value.status == 412


def test_a_scim_token_is_shown_once_and_two_are_alive_at_most(acme: Setting) -> None:
    first, plaintext = acme.call(identity.issue_scim_token, "Entra", actor=ADA)
    assert plaintext.startswith(first.prefix)
    assert first.alive
    (published,) = acme.published().scim_tokens
    assert published.sha256 == hashlib.sha256(plaintext.encode()).hexdigest()
    assert published.expires_at == first.expires_at
    acme.call(identity.issue_scim_token, "Entra, next", actor=ADA)
    with pytest.raises(Refusal) as refusal:
        acme.call(identity.issue_scim_token, "one too many", actor=ADA)
    assert (refusal.value.code, refusal.value.status) == ("scim_tokens_many", 409)
    acme.call(identity.revoke_scim_token, first.id, actor=ADA)
    assert first.id not in [one.id for one in acme.published().scim_tokens]
    acme.call(identity.issue_scim_token, "the next but one", actor=ADA)
    assert len(acme.published().scim_tokens) == 2
    told = str(acme.event("scim_token.issued")) + repr(acme.call(identity.scim_tokens))
    assert plaintext not in told


def test_a_scim_token_belongs_to_one_organisation(acme: Setting, rival: Setting) -> None:
    made, _ = acme.call(identity.issue_scim_token, "Entra", actor=ADA)
    with pytest.raises(Refusal) as refusal:
        rival.call(identity.revoke_scim_token, made.id, actor=ADA)
    assert refusal.value.status == 404
    with pytest.raises(Refusal) as refusal:
        rival.call(identity.issue_scim_token, "x", connection_id=uuid4(), actor=ADA)
    assert refusal.value.code == "unknown_connection"


def test_a_set_up_link_opens_once_one_organisation_for_one_purpose(acme: Setting) -> None:
    made, url = acme.with_settings(identity.make_set_up_link, "sign_in", actor=ADA)
    token = url.rpartition("/")[2]
    assert url == f"{acme.settings.site_url}/console/set-up/{token}"

    def use(_: int) -> str:
        try:
            with transaction(acme.house.engine) as session:
                return str(identity.use_set_up_link(session, token).organisation_id)
        except Refusal as refusal:
            return f"{refusal.code} {refusal.status}"

    with transaction(acme.house.engine) as session:
        assert identity.find_set_up_link(session, token).purpose == "sign_in"
    with ThreadPoolExecutor(4) as threads:
        used = sorted(threads.map(use, range(4)))
    assert used == [str(acme.organisation_id), *["link_gone 410"] * 3]
    (found,) = acme.call(identity.set_up_links)
    assert (found.id, found.alive) == (made.id, False)
    assert token not in str(acme.event("set_up_link.made"))
    assert acme.verbs()[-1] == "set_up_link.used"


@pytest.mark.parametrize("end", ["revoked", "outlived", "unknown"])
def test_a_link_whose_time_is_over_opens_nothing(acme: Setting, end: str) -> None:
    made, url = acme.with_settings(identity.make_set_up_link, "scim", actor=ADA)
    token = url.rpartition("/")[2]
    if end == "revoked":
        acme.call(identity.revoke_set_up_link, made.id, actor=ADA)
    elif end == "outlived":
        acme.house.sql("update set_up_link set expires_at = now() where id = :id", id=made.id)
    else:
        token += "x"
    with transaction(acme.house.engine) as session, pytest.raises(Refusal) as refusal:
        identity.find_set_up_link(session, token)
    assert refusal.value.code == "link_gone"


def test_a_link_for_an_unknown_purpose_or_for_ever_is_refused(acme: Setting) -> None:
    for purpose, hours in (("everything", 1), ("scim", 10_000)):
        with pytest.raises(Refusal):
            acme.with_settings(identity.make_set_up_link, purpose, hours=hours, actor=ADA)
