"""Metadata: read again each day and when a key is unknown, never at the cost of what somebody changed meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from control_plane import identity, placement
from control_plane.identity import CertificateView, ConnectionView
from control_plane.placement.databases import ADMIN
from control_plane.placement.models import CellDatabase
from kit.db import transaction
from kit.errors import Refusal
from tests.identity.connections import certificate, change, metadata, saml, website
from tests.identity.organisations import ADA, Setting
from tests.world.house import CELL


def test_metadata_is_fetched_and_refreshed_and_a_new_certificate_is_taken_over(acme: Setting) -> None:
    first, second = certificate(), certificate()
    pages = {"/metadata": ("application/xml", metadata(first))}
    with website(pages) as base:
        made = saml(acme, settings={}, metadata_url=f"{base}/metadata")
        assert len(made.certificates) == 1
        pages["/metadata"] = ("application/xml", metadata(first, second))
        acme.house.sql("update sign_in_connection set metadata_due_at = now() - interval '1 second'")
        assert identity.keep_metadata(acme.house.engine, acme.settings) >= 1
        found = acme.call(identity.connection, made.id)
        assert len(found.certificates) == 2
        assert acme.event("connection.metadata_refreshed")["after"]["fingerprints"]
        assert acme.published().connections[0].settings["certificates"] == [first, second]
        pages["/metadata"] = ("application/xml", metadata(second, entity_id="https://evil.example"))
        with pytest.raises(Refusal) as refusal:
            acme.with_settings(identity.refresh_metadata, made.id, actor=ADA)
        assert refusal.value.code == "metadata_other"
        pages.clear()
        acme.house.sql("update sign_in_connection set metadata_due_at = now() - interval '1 second'")
        identity.keep_metadata(acme.house.engine, acme.settings)
    found = acme.call(identity.connection, made.id)
    assert "404" in (found.metadata_trouble or "")
    assert len(found.certificates) == 2


def test_a_signature_by_an_unknown_key_has_the_metadata_read_again_but_not_all_the_time(acme: Setting) -> None:
    first, second = certificate(), certificate()
    pages = {"/metadata": ("application/xml", metadata(first))}
    with website(pages) as base:
        made = saml(acme, settings={}, metadata_url=f"{base}/metadata")
        acme.house.sql("update sign_in_connection set stage = 'pilot' where id = :id", id=made.id)
        pages["/metadata"] = ("application/xml", metadata(second))
        acme.key_unknown(made.id)
        before = acme.call(identity.connection, made.id).certificates
        assert read_again(acme, made) == before, "it was read a moment ago"
        assert acme.keys_unknown() == {made.id}, "and is read once those minutes are over"
        read_long_ago(acme, made)
        after = read_again(acme, made)
        assert after != before
        assert acme.keys_unknown() == set()
        pages["/metadata"] = ("application/xml", metadata(first))
        read_long_ago(acme, made)
        assert read_again(acme, made) == after, "nobody was refused since"


def read_again(acme: Setting, made: ConnectionView) -> tuple[CertificateView, ...]:
    """What the sweep does each minute, and each ten seconds."""
    identity.heed_signatures(acme.house.engine, acme.databases)
    identity.keep_metadata(acme.house.engine, acme.settings)
    found: ConnectionView = acme.call(identity.connection, made.id)
    return found.certificates


def read_long_ago(acme: Setting, made: ConnectionView) -> None:
    acme.house.sql(
        "update sign_in_connection set metadata_at = now() - interval '11 minutes' where id = :id", id=made.id
    )


def test_among_many_whose_metadata_is_overdue_the_refused_come_first(acme: Setting) -> None:
    first, second = certificate(), certificate()
    pages = {"/metadata": ("application/xml", metadata(first)), "/other": ("application/xml", metadata(first))}
    with website(pages) as base:
        made = saml(acme, settings={}, metadata_url=f"{base}/metadata")
        others = [saml(acme, settings={}, metadata_url=f"{base}/other") for _ in range(3)]
        acme.house.sql("update sign_in_connection set stage = 'pilot' where id = :id", id=made.id)
        acme.house.sql(
            "update sign_in_connection set metadata_due_at = now() - interval '2 days' where id <> :id", id=made.id
        )
        pages["/metadata"] = ("application/xml", metadata(second))
        acme.key_unknown(made.id)
        read_long_ago(acme, made)
        identity.heed_signatures(acme.house.engine, acme.databases)
        due = acme.house.sql(
            "select id from sign_in_connection where metadata_due_at <= now() order by metadata_due_at"
        )
        assert due[0][0] == made.id
        assert {one.id for one in others} < {row[0] for row in due}


def test_settings_that_were_checked_beside_older_ones_undo_nothing(acme: Setting) -> None:
    """Two administrators at once: one asks the provider, which takes its time, while the other changes the settings."""
    made, first, second = saml(acme), certificate(), certificate()
    others: list[str] = []

    def meanwhile(_path: str) -> None:
        if others:
            change(acme, made, settings={"certificates": [others.pop()]})

    pages = {"/metadata": ("application/xml", metadata(first))}
    with website(pages, meanwhile) as base:
        others.append(second)
        with pytest.raises(Refusal) as refusal:
            change(acme, made, metadata_url=f"{base}/metadata")
        assert refusal.value.code == "stale"
        assert acme.published().connections[0].settings["certificates"] == [second]
        change(acme, made, metadata_url=f"{base}/metadata")
    assert acme.published().connections[0].settings["certificates"] == [first], "the control: alone it goes through"


def test_metadata_of_an_address_that_was_replaced_meanwhile_is_not_taken_over(acme: Setting) -> None:
    old, new = certificate(), certificate()
    pages = {"/old": ("application/xml", metadata(old)), "/new": ("application/xml", metadata(new))}
    moves: list[str] = []

    def meanwhile(path: str) -> None:
        if moves and path == "/old":
            change(acme, made, metadata_url=moves.pop())

    with website(pages, meanwhile) as base:
        made = saml(acme, settings={}, metadata_url=f"{base}/old")
        moves.append(f"{base}/new")
        with pytest.raises(Refusal) as refusal:
            acme.with_settings(identity.refresh_metadata, made.id, actor=ADA)
        assert refusal.value.code == "stale"
    assert acme.published().connections[0].settings["certificates"] == [new]


def test_what_cannot_help_is_forgotten_at_once(acme: Setting, rival: Setting) -> None:
    pages = {"/metadata": ("application/xml", metadata(certificate()))}
    with website(pages) as base:
        draft, another = (saml(acme, settings={}, metadata_url=f"{base}/metadata") for _ in range(2))
        by_hand = saml(acme)
    acme.house.sql("update sign_in_connection set stage = 'pilot' where id <> :id", id=draft.id)
    for made in (draft, by_hand):
        acme.key_unknown(made.id)
    acme.key_unknown(uuid4())
    rival.key_unknown(another.id)
    read_long_ago(acme, another)
    assert identity.heed_signatures(acme.house.engine, acme.databases) == 0
    assert acme.keys_unknown() == rival.keys_unknown() == set()


def test_a_cell_that_is_away_keeps_no_other_from_being_heard(acme: Setting) -> None:
    pages = {"/metadata": ("application/xml", metadata(certificate()))}
    with website(pages) as base:
        made = saml(acme, settings={}, metadata_url=f"{base}/metadata")
    acme.house.sql("update sign_in_connection set stage = 'pilot' where id = :id", id=made.id)
    acme.key_unknown(made.id)
    read_long_ago(acme, made)
    with a_cell_database_that_is_away(acme):
        assert identity.heed_signatures(acme.house.engine, acme.databases) == 1


@contextmanager
def a_cell_database_that_is_away(acme: Setting) -> Iterator[None]:
    made = uuid4()
    with transaction(acme.house.engine) as session:
        url = acme.house.vault.seal(f"postgresql://nobody@127.0.0.1:1/away_{made.hex}", ADMIN)
        cell = placement.cell(session, CELL).id
        session.add(
            CellDatabase(
                id=made,
                cell_id=cell,
                name=f"away_{made.hex}",
                admin_url_sealed=url,
                app_url_sealed=url,
                capacity=1,
                spares_wanted=0,
            )
        )
    yield
    acme.house.sql("delete from cell_database where id = :id", id=made)
