"""Finding organisations: without accents, forgiving typing errors, in pages that stay true while rows are added."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, and_, case, cast, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from control_plane.organisations.fields import fold, skeleton
from control_plane.organisations.models import STATES, AddressClaim, Organisation
from control_plane.organisations.service import GONE
from control_plane.placement import residents
from kit.errors import Refusal
from kit.pages import Page, decode_cursor, encode_cursor, page_size

ESTIMATE_STOPS = 5001
# A word with a wrong letter or two still shares this much of its trigrams (marie, mairie).
ALIKE = 0.4


@dataclass(frozen=True)
class Search:
    """What to look for. `sort` is relevance, created, name or updated, with a dash in front for the other way round."""

    query: str | None = None
    state: str | None = None
    offer: str | None = None
    cell: str | None = None
    sort: str = "-created"
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class Sorting:
    """A column to sort by, with the id as second key."""

    column: Any
    kind: Any
    descending: bool

    def order(self) -> list[Any]:
        """The ORDER BY."""
        return [c.desc() if self.descending else c.asc() for c in (self.column, Organisation.id)]

    def after(self, cursor: str) -> ColumnElement[bool]:
        """What comes after the row that the cursor names."""
        value, row_id = decode_cursor(cursor, self.kind, UUID)
        here, there = tuple_(self.column, Organisation.id), tuple_(literal(value), literal(row_id))
        return here < there if self.descending else here > there


def search(session: Session, search: Search | None = None) -> Page[Organisation]:
    """Organisations that match, one page of them."""
    wanted = search or Search()
    limit = page_size(wanted.limit)
    words = fold(wanted.query or "")
    sorting = _sorting(wanted.sort, words)
    matching = _matching(session, wanted, words)
    query = matching.add_columns(sorting.column.label("sort_key")).order_by(*sorting.order()).limit(limit + 1)
    if wanted.cursor:
        query = query.where(sorting.after(wanted.cursor))
    found = list(session.execute(query.execution_options(populate_existing=True)))
    items = found[:limit]
    more = len(found) > limit
    return Page(
        [row for row, _ in items],
        encode_cursor(items[-1][1], items[-1][0].id) if more else None,
        _estimate(session, matching),
    )


def _matching(session: Session, wanted: Search, words: str) -> Select[Organisation]:
    query = select(Organisation)
    if wanted.state:
        if wanted.state not in STATES:
            raise Refusal(
                "unknown_state", "There is no state called {state}.", field="state", status=400, state=wanted.state
            )
        query = query.where(Organisation.state == wanted.state)
    if wanted.offer:
        query = query.where(Organisation.offer_code == wanted.offer)
    if wanted.cell:
        query = query.where(Organisation.id.in_(residents(wanted.cell)))
    return query.where(_words_match(session, words)) if words else query


def _words_match(session: Session, words: str) -> ColumnElement[bool]:
    """Every word is in the text; if no text has them all as they are typed, words that nearly are there count too.

    A SIRET written in groups is read as one number. Only words that occur nowhere are looked for by likeness first:
    likeness to a common word costs seconds.
    """
    together = re.sub(r"(?<=\d) (?=\d)", "", words).split()[:8]
    session.execute(select(func.set_config("pg_trgm.word_similarity_threshold", str(ALIKE), True)))
    known = and_(*(_inside(word) if _occurs(session, _inside(word)) else _nearly(word) for word in together))
    return known if _occurs(session, known) else and_(*(_nearly(word) for word in together))


def _occurs(session: Session, condition: ColumnElement[bool]) -> bool:
    return session.scalar(select(Organisation.id).where(condition).limit(1)) is not None


def _inside(word: str) -> ColumnElement[bool]:
    return Organisation.search_text.contains(word, autoescape=True)


def _nearly(word: str) -> ColumnElement[bool]:
    # Fewer than four letters share trigrams with everything.
    alike = literal(word).op("<%")(Organisation.search_text)
    return or_(_inside(word), alike) if len(word) > 3 else _inside(word)


def _sorting(sort: str, words: str) -> Sorting:
    descending, name = sort.startswith("-"), sort.removeprefix("-")
    columns: dict[str, tuple[Any, Any]] = {
        "created": (Organisation.created_at, datetime),
        "updated": (Organisation.updated_at, datetime),
        "name": (Organisation.name, str),
        "relevance": (_relevance(words), int),
    }
    if name not in columns:
        message = "Sort by created, updated, name or relevance, with a dash in front for the other way round."
        raise Refusal("unknown_sort", message, field="sort", status=400)
    column, kind = columns[name]
    return Sorting(column, kind, descending != (name == "relevance"))


def _relevance(words: str) -> ColumnElement[int]:
    """Thousandths of likeness; a text that holds the words as they are comes before those that only resemble them."""
    exact = case((Organisation.search_text.contains(words, autoescape=True), 1000), else_=0)
    return exact + cast(func.word_similarity(words, Organisation.search_text) * 1000, Integer)


def _estimate(session: Session, matching: Select[Organisation]) -> int:
    some = matching.with_only_columns(Organisation.id).limit(ESTIMATE_STOPS).subquery()
    return session.execute(select(func.count()).select_from(some)).scalar_one()


def counts(session: Session) -> dict[str, int]:
    """How many organisations are in each state; states without any are there with 0."""
    query = select(Organisation.state, func.count()).group_by(Organisation.state)
    found = {state: number for state, number in session.execute(query)}  # noqa: C416 - rows are not pairs to mypy
    return {state: found.get(state, 0) for state in STATES}


def near_duplicates(
    session: Session, name: str, siret: str | None = None, address: str | None = None
) -> list[Organisation]:
    """Organisations that may be the same customer: same SIRET, a look-alike address, a name that sounds alike."""
    folded = fold(name)
    session.execute(select(func.set_config("pg_trgm.word_similarity_threshold", "0.7", True)))
    alike: list[ColumnElement[bool]] = []
    if len(folded) > 3:
        alike.append(literal(folded).op("<%")(Organisation.search_text))
    if siret:
        alike.append(Organisation.siret == re.sub(r"\s", "", siret))
    if address:
        alike.append(Organisation.address == address.strip().lower())
    if not alike:
        return []
    query = select(Organisation).where(Organisation.state.not_in(GONE), or_(*alike))
    likeness = func.word_similarity(folded, Organisation.search_text).desc()
    found = list(session.scalars(query.order_by(likeness, Organisation.id).limit(10)))
    return found if not address else _also_skeleton(session, address, found)


def _also_skeleton(session: Session, address: str, found: list[Organisation]) -> list[Organisation]:
    same_look = select(AddressClaim.organisation_id).where(
        AddressClaim.skeleton == skeleton(address.strip().lower()), AddressClaim.organisation_id.is_not(None)
    )
    query = select(Organisation).where(Organisation.id.in_(same_look)).limit(5)
    known = {row.id for row in found}
    return [*found, *(row for row in session.scalars(query) if row.id not in known)]
