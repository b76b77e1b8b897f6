"""Finding organisations: accents, typing errors, pages, and 55,000 of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from control_plane import organisations
from control_plane.organisations import Search
from kit.db import transaction
from kit.errors import Refusal
from tests.organisations.conftest import Desk


@pytest.fixture
def filled(desk: Desk) -> Desk:
    desk.order("sevres", name="Mairie de Sèvres", siret="73282932000074", admin_email="jeanne@sevres.example")
    desk.order("saint-etienne", name="Ville de Saint-Étienne", admin_email="paul@st-etienne.example")
    desk.order("oeuvres", name="Œuvres sociales", admin_email="x@oeuvres.example", offer="team")
    return desk


def found(desk: Desk, **wanted: object) -> list[str]:
    with transaction(desk.engine) as session:
        return [row.address for row in organisations.search(session, Search(**wanted)).items]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("Sevres", "sevres"),
        ("SÈVRES", "sevres"),
        ("mairie sèvres", "sevres"),
        ("sevrse", "sevres"),
        ("marie de sevres", "sevres"),
        ("saint etienne", "saint-etienne"),
        ("etiene", "saint-etienne"),
        ("oeuvres", "oeuvres"),
        ("Œuvre", "oeuvres"),
        ("732 829 320 00074", "sevres"),
        ("jeanne@sevres.example", "sevres"),
        ("st-etienne.example", "saint-etienne"),
    ],
)
def test_it_is_found_without_accents_and_with_typing_errors(filled: Desk, query: str, address: str) -> None:
    assert found(filled, query=query, sort="relevance")[:1] == [address]


@pytest.mark.parametrize("query", ["zzzzzz", "%", "_", "100%", "'; drop table organisation; --"])
def test_what_is_not_there_is_not_found(filled: Desk, query: str) -> None:
    assert "sevres" not in found(filled, query=query) or query in {"%", "_"}
    assert len(found(filled)) == 3


def test_filters_and_sorting(filled: Desk) -> None:
    assert found(filled, offer="team") == ["oeuvres"]
    assert found(filled, state="live") == []
    assert found(filled, cell="local", sort="created") == ["sevres", "saint-etienne", "oeuvres"]
    assert found(filled, cell="moon") == []
    assert found(filled, sort="name") == ["sevres", "saint-etienne", "oeuvres"]
    assert found(filled, sort="-name") == ["oeuvres", "saint-etienne", "sevres"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [({"sort": "moon"}, "sort"), ({"state": "moon"}, "state"), ({"cursor": "moon"}, "cursor"), ({"limit": 0}, "limit")],
)
def test_a_wrong_question_is_answered_by_naming_its_part(filled: Desk, wanted: dict[str, object], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        found(filled, **wanted)
    assert (refused.value.field, refused.value.status) == (field, 400)


@pytest.mark.parametrize("sort", ["created", "-created", "name", "-name", "updated", "relevance"])
def test_pages_stay_true_while_organisations_are_added(desk: Desk, sort: str) -> None:
    for number in range(7):
        desk.order(f"ville-{number}", name=f"Ville {number % 3}")
    seen, cursor = [], None
    while True:
        with transaction(desk.engine) as session:
            page = organisations.search(session, Search(query="ville", sort=sort, limit=2, cursor=cursor))
        seen += [row.address for row in page.items]
        cursor = page.next_cursor
        if len(seen) == 2:
            assert page.total_estimate == 7
            desk.order("ville-late", name="Ville 1")
        if cursor is None:
            break
    early = [address for address in seen if address != "ville-late"]
    assert sorted(early) == [f"ville-{number}" for number in range(7)]
    assert len(seen) == len(set(seen))


def test_counts_name_every_state(filled: Desk) -> None:
    with transaction(filled.engine) as session:
        counted = organisations.counts(session)
    assert counted["ordered"] == 3
    assert set(counted) == set(organisations.STATES)


@pytest.mark.parametrize(
    ("wanted", "address"),
    [
        ({"name": "Mairie de Sevres"}, "sevres"),
        ({"name": "Marie de Sèvres"}, "sevres"),
        ({"name": "Something else", "siret": "732 829 320 00074"}, "sevres"),
        ({"name": "Something else", "address": "sevre-s"}, "sevres"),
    ],
    ids=["name", "typing error", "siret", "look-alike address"],
)
def test_near_duplicates_are_shown_before_saving(filled: Desk, wanted: dict[str, str], address: str) -> None:
    with transaction(filled.engine) as session:
        assert address in [row.address for row in organisations.near_duplicates(session, **wanted)]  # type: ignore[arg-type]
        assert organisations.near_duplicates(session, "Conservatoire de Brest") == []


FILL = """
insert into organisation (id, name, address, state, offer_code, offer_version, locale, admin_email, admin_name,
                          admin_key, source, flags, search_text, revision, created_at, updated_at)
select gen_random_uuid(), 'Commune ' || n, 'c' || n, 'ordered', 'team', 1, 'fr', 'm@c' || n || '.example',
       'Maire', md5(n::text), 'api', '[]',
       'commune de ' || md5(n::text) || ' c' || n || ' m@c' || n || '.example', 1, now(), now()
from generate_series(cast(:first as int), cast(:last as int)) n
"""


@contextmanager
def planned(engine: Engine) -> Iterator[list[float]]:
    """What PostgreSQL means that each question asked meanwhile will cost: no clock, so no busy machine."""
    costs: list[float] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if statement.lstrip().lower().startswith(("select", "with")):
            with cursor.connection.cursor() as aside:
                ((plan,),) = aside.execute(f"explain (format json) {statement}", parameters).fetchall()
                costs.append(plan[0]["Plan"]["Total Cost"])

    event.listen(engine, "before_cursor_execute", explain)
    yield costs
    event.remove(engine, "before_cursor_execute", explain)


@pytest.mark.timeout(300)
def test_search_reads_an_index_at_fifty_five_thousand(filled: Desk) -> None:
    # Bit by bit: on a busy machine all at once takes longer than a statement may.
    for first in range(1, 55_000, 5_000):
        filled.sql(FILL, first=first, last=first + 4_999)
    filled.sql("analyze organisation")
    with planned(filled.engine) as scan, filled.engine.begin() as connection:
        connection.execute(text("select * from organisation"))
    for query in ("sevres", "sevrse", "mairie de sevres", "73282932000074", "jeanne@sevres.example"):
        with planned(filled.engine) as plans:
            assert "sevres" in found(filled, query=query, sort="relevance", limit=50), query
        assert plans
        assert max(plans) < scan[0], query
