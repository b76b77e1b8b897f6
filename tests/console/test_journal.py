"""The journal's three kinds: changes, sign-ins with their trace, what the directory did; each seen, all taken away."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from control_plane import identity
from control_plane.audit import SYSTEM, Filter
from control_plane.console import export
from control_plane.console.export import Wanted
from kit.db import transaction
from kit.ids import new_id
from tenant_app.contract import CellDatabase, HistoryFilter, Trace
from tests.console.furnish import CHECKS, CLAIMS, saml_connection
from tests.world.console_door import ConsoleDoor

NOW = datetime.now(UTC).replace(microsecond=0)
REFUSED = {"checks": CHECKS, "claims": CLAIMS, "result": {"action": "refused"}, "refusal": "saml_audience"}


def id_at(moment: datetime, number: int = 0) -> UUID:
    return UUID(int=int(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number)


def came(**result: Any) -> dict[str, Any]:
    return {"checks": CHECKS[:2], "claims": CLAIMS, "result": {"action": "signed_in", **result}}


def sign_in(
    door: ConsoleDoor,
    organisation: UUID,
    connection: UUID,
    at: datetime,
    data: dict[str, Any],
    *,
    purpose: str = "sign_in",
) -> None:
    door.inside(
        organisation,
        "insert into sso_trace (id, connection_id, purpose, outcome, data, created_at) values (%s, %s, %s, %s, %s, %s)",
        *(id_at(at), connection, purpose, data.get("refusal") or "ok", Jsonb(data), at),
    )


def event(
    door: ConsoleDoor, organisation: UUID, at: datetime, verb: str, of: UUID, *, token: UUID | None = None
) -> None:
    door.inside(
        organisation,
        "insert into scim_event (id, token_id, verb, object_id, data, created_at) values (%s, %s, %s, %s, %s, %s)",
        *(id_at(at), token, verb, of, Jsonb({"decided_by": str(of)} if token is None else {"changed": ["name"]}), at),
    )


class Town:
    """An organisation with something of each kind, an hour apart."""

    def __init__(self, door: ConsoleDoor) -> None:
        self.door = door
        self.id = door.house.live()
        self.owner = door.person(self.id)
        self.lea = door.person(self.id, "member", name="Léa Wagner", email="lea@ville-journal.example")
        self.connection = saml_connection(door, self.id, "Entra de la ville", domains=[])
        with transaction(door.house.engine) as session:
            self.token = identity.issue_scim_token(session, self.id, "Provisionnement", actor=SYSTEM)[0].id
        hours = [NOW - timedelta(hours=n) for n in range(1, 6)]
        sign_in(
            door, self.id, self.connection, hours[0], came(name="=HYPERLINK(1)", email="karim@ville-journal.example")
        )
        event(door, self.id, hours[1], "user.changed", self.lea, token=self.token)
        sign_in(door, self.id, self.connection, hours[2], REFUSED)
        event(door, self.id, hours[3], "user.removal_refused", self.lea)
        sign_in(door, self.id, new_id(), hours[4], came(name="Max"), purpose="test")

    def client(self, **options: Any) -> httpx.Client:
        return self.door.client(self.id, self.owner, **options)

    def wanted(self, database: CellDatabase, **asked: Any) -> Wanted:
        found = Filter(organisation_id=self.id, **asked)
        return Wanted(self.door.house.engine, database, found, "en", {}, {})


@pytest.fixture(scope="module")
def town(door: ConsoleDoor) -> Town:
    return Town(door)


def exported(client: httpx.Client, query: str = "", suffix: str = "json") -> Any:
    answer = client.get(f"/console/journal/export.{suffix}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json() if suffix == "json" else answer.text


def test_each_kind_is_seen_with_its_details(town: Town) -> None:
    with town.client() as client:
        changes = client.get("/console/journal").text
        entries = client.get("/console/journal?kind=sign-ins").text
        directory = client.get("/console/journal?kind=directory").text
    assert '<span class="strong">SCIM token made</span>' in changes
    assert "karim@ville-journal.example" in entries
    assert "Entra de la ville" in entries
    assert "a connection that was removed" in entries
    # A refused one names its check, what came, and the cure.
    assert "https://saint-aubin.parvis.example/saml/metadata" in entries
    assert "What to do:" in entries
    assert '<span class="strong">Person changed</span>' in directory
    assert "Léa Wagner" in directory
    for page, kind in ((changes, "Changes"), (entries, "Sign-ins"), (directory, "Directory")):
        assert re.search(rf'<a href="[^"]+" aria-current="page">{kind}</a>', page)


def test_each_kind_is_filtered_by_what_by_whom_and_by_day(town: Town) -> None:
    with town.client() as client:

        def shown(query: str) -> str:
            answer = client.get(f"/console/journal?{query}")
            assert answer.status_code == 200, answer.text
            return answer.text

        assert "karim@ville" not in shown("kind=sign-ins&verb=sign_in.refused")
        assert "karim@ville" in shown("kind=sign-ins&verb=sign_in.")
        assert "Max" not in shown("kind=sign-ins&actor=karim@ville")
        assert "Person changed</span>" not in shown("kind=directory&verb=user.removal_refused")
        assert "Person changed</span>" in shown("kind=directory&actor=lea@ville")
        assert "No event fits" in shown("kind=directory&actor=nobody")
        assert "No event fits" in shown(f"kind=sign-ins&since={(NOW + timedelta(days=2)).date()}")
        # Another kind keeps days and people; what was chosen there has no sense here.
        other = re.search(
            r'href="(/console/journal\?kind=directory[^"]*)"', shown("kind=sign-ins&verb=test.&actor=lea")
        )
        assert other
        assert other[1].endswith("kind=directory&amp;actor=lea")
        for wrong in ("kind=sign-ins&since=yesterday", "until=9999-12-31", "kind=directory&cursor=x"):
            answer = client.get(f"/console/journal?{wrong}")
            assert answer.status_code == 422, wrong


def test_pages_follow_each_other_without_a_gap(door: ConsoleDoor) -> None:
    organisation = door.house.live()
    for n in range(60):
        sign_in(door, organisation, new_id(), NOW - timedelta(minutes=n), came(email=f"n{n:02}@page.example"))
    with door.client(organisation, door.person(organisation)) as client:
        first = client.get("/console/journal?kind=sign-ins&verb=sign_in.").text
        following = re.search(r'href="([^"]+)" rel="next"', first)
        assert following
        second = client.get(following[1].replace("&amp;", "&")).text
    pattern = r"<span> (n\d\d)@page.example</span>"
    assert [*re.findall(pattern, first), *re.findall(pattern, second)] == [f"n{n:02}" for n in range(60)]
    assert 'rel="next"' not in second


def test_a_file_has_all_three_kinds_in_the_order_of_time(town: Town) -> None:
    with town.client() as client:
        rows = exported(client)
        table = list(csv.DictReader(io.StringIO(exported(client, suffix="csv").removeprefix("\ufeff"))))
    assert {row["kind"] for row in rows} == {"changes", "sign-ins", "directory"}
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    told = [(row["verb"], row["actor_kind"], row["actor_name"], row["object_name"]) for row in rows]
    theirs = [one for one in told if one[0].partition(".")[0] in {"sign_in", "test", "user"}]
    assert theirs == [
        ("sign_in.ok", "person", "=HYPERLINK(1)", "Entra de la ville"),
        ("user.changed", "directory", "Provisionnement", "Léa Wagner"),
        ("sign_in.refused", "person", None, "Entra de la ville"),
        ("user.removal_refused", "member", None, "Léa Wagner"),
        ("test.ok", "person", "Max", None),
    ]
    refused = next(row["data"] for row in rows if row["verb"] == "sign_in.refused")
    assert refused["checks"] == CHECKS
    assert refused["claims"] == CLAIMS
    assert "https://saint-aubin.parvis.example/saml/metadata" in refused["failure"]
    assert [row["verb"] for row in table] == [row["verb"] for row in rows]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in table for cell in row.values())


def test_a_file_has_what_the_filter_shows_and_no_more(town: Town) -> None:
    with town.client() as client:
        verbs = lambda query: [row["verb"] for row in exported(client, query)]  # noqa: E731
        assert verbs("?kind=directory") == ["user.changed", "user.removal_refused"]
        assert verbs("?kind=sign-ins&verb=sign_in.") == ["sign_in.ok", "sign_in.refused"]
        assert verbs("?actor=lea@ville") == ["user.changed", "user.removal_refused"]
        assert verbs(f"?since={(NOW + timedelta(days=2)).date()}") == []
        assert set(verbs("?kind=changes")).isdisjoint(verbs("?kind=sign-ins"))
        assert verbs("?verb=scim_token.") == ["scim_token.issued"]


def test_a_neighbour_s_file_has_nothing_of_ours(town: Town, door: ConsoleDoor) -> None:
    other = door.house.live()
    with door.client(other, door.person(other)) as client:
        rows = exported(client)
    assert {row["kind"] for row in rows} == {"changes"}


class Watched(CellDatabase):
    """Counts the pages that are read, and does something before one of them."""

    reads = 0

    def sign_ins(self, organisation_id: UUID, wanted: HistoryFilter) -> list[Trace]:
        self.reads += 1
        if self.reads == 2:
            self.before_the_second()
        return super().sign_ins(organisation_id, wanted)

    def before_the_second(self) -> None:
        """Nothing, unless a test says so."""


def many(door: ConsoleDoor, count: int = 450) -> Town:
    town = Town(door)
    number = "lpad(to_hex((extract(epoch from %s::timestamptz) * 1000)::bigint - n), 12, '0')"
    door.inside(
        town.id,
        "insert into sso_trace (id, connection_id, purpose, outcome, data, created_at) select"
        f" ({number} || '7000800000000000abcd')::uuid, %s, 'sign_in', 'ok', %s, %s::timestamptz - n * interval '1 ms'"
        " from generate_series(1, %s) n",
        *(NOW, town.connection, Jsonb(came(email="many@ville-journal.example")), NOW, count),
    )
    return town


def test_a_long_file_is_whole_and_is_read_a_page_at_a_time(door: ConsoleDoor) -> None:
    town = many(door)
    watched = Watched(door.house.cell_url)
    rows = export.entries(town.wanted(watched, verb="sign_in."))
    assert len(list(islice(rows, 10))) == 10
    assert watched.reads == 1
    assert len(list(rows)) == 450 + 2 - 10
    assert watched.reads == 3


@contextmanager
def lost(door: ConsoleDoor) -> Iterator[None]:
    """The cell's database takes nobody in, and has sent everybody away."""
    name = door.house.cell_url.rpartition("/")[2].partition("?")[0]
    admin = door.house.cell_url.replace(f"/{name}", "/postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"alter database {name} allow_connections false".encode())
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(f"alter database {name} allow_connections true".encode())


def test_a_database_that_is_lost_in_the_midst_is_told_in_the_file(door: ConsoleDoor) -> None:
    town = many(door)

    class Lost(Watched):
        def before_the_second(self) -> None:
            stack.enter_context(lost(door))

    with ExitStack() as stack:
        rows = list(export.entries(town.wanted(Lost(door.house.cell_url))))
    [told] = [row for row in rows if row["verb"] == "export.incomplete"]
    assert told["kind"] == "sign-ins"
    shown = [row["at"] for row in rows if row["kind"] == "sign-ins" and row is not told]
    assert len(shown) == 200
    assert told["at"] == told["data"]["missing_before"] == min(shown)
    assert "did not answer" in told["data"]["detail"]
    # What was read before it was lost is there, and so is all that lies elsewhere.
    assert {row["kind"] for row in rows} == {"changes", "sign-ins", "directory"}
    # The control: once it is back, nothing is missing.
    again = list(export.entries(town.wanted(CellDatabase(door.house.cell_url))))
    assert len(again) > len(rows) + 200
    assert all(row["verb"] != "export.incomplete" for row in again)


def test_a_part_that_cannot_be_read_is_named_on_the_page_and_in_the_file(door: ConsoleDoor) -> None:
    town = Town(door)
    door.inside(town.id, "alter table scim_event rename to scim_event_away")
    with town.client() as client:
        page = client.get("/console/journal?kind=directory")
        rows = exported(client)
        text = exported(client, suffix="csv")
    assert page.status_code == 503
    assert "does not answer just now" in page.text
    assert [row["kind"] for row in rows if row["verb"] == "export.incomplete"] == ["directory"]
    assert "sign_in.ok" in {row["verb"] for row in rows}
    assert "export.incomplete" in text
    with town.client(locale="fr") as client:
        said = next(row["data"]["detail"] for row in exported(client) if row["verb"] == "export.incomplete")
        assert said.replace("’", "'").startswith("La base de l'espace de travail")
    door.inside(town.id, "alter table scim_event_away rename to scim_event")
    with town.client() as client:
        assert client.get("/console/journal?kind=directory").status_code == 200
        assert "export.incomplete" not in exported(client, suffix="csv")
