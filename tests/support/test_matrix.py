"""Each route of a workspace that wants a session, asked by support that may read, and by one that may write."""

import re

import httpx
import pytest

from tests.matrix.declared import WORKSPACE
from tests.matrix.support import SUPPORT
from tests.support.consents import agreed, entered
from tests.workspace.houses import House, Person

NOWHERE = "0197b2a4-0000-7000-8000-000000000000"
BODIES = {
    "POST /drive/uploads/completion": {"uploads": [NOWHERE]},
    "POST /drive/uploads/{upload_id}/parts": {"parts": [{"n": 1, "digest": "00" * 32}]},
    "POST /drive/{where}/uploads": {"files": [{"name": "a.txt", "size": 1}]},
}
INSIDE = sorted(route for route, access in WORKSPACE.items() if access not in {"public", "directory"})


@pytest.fixture(scope="module")
def staff(house: House) -> dict[str, tuple[Person, str]]:
    """One who may read, one who may write, each with a page's token."""
    found = {}
    for kind in ("read", "write"):
        record = house.workspace()
        house.owner(record)
        record, grant = agreed(house, record, read_only=kind == "read")
        person = entered(house, record, grant)
        found[kind] = (person, person.token("/"))
    return found


def asked(person: Person, token: str, route: str) -> tuple[int, str]:
    method, _, path = route.partition(" ")
    path = re.sub(r"\{(\w+)\}", lambda place: "1" if place[1] == "n" else NOWHERE, path)
    form = route.startswith("POST") and path.endswith("/files")
    answer: httpx.Response = person.http.request(
        method,
        path,
        headers={"Accept": "application/json", "X-CSRF-Token": token},
        files={"file": ("a.txt", b"a")} if form else None,
        data={"csrf": token} if form else None,
        json=BODIES.get(route),
        follow_redirects=False,
    )
    told = answer.content and "problem+json" in answer.headers.get("content-type", "")
    return answer.status_code, str(answer.json().get("code", "")) if told else ""


@pytest.mark.parametrize("route", INSIDE)
def test_support_comes_where_the_table_says_and_nowhere_else(staff: dict[str, tuple[Person, str]], route: str) -> None:
    told = {kind: asked(*who, route) for kind, who in staff.items()}
    opens = SUPPORT.get(route)
    refusals = {"support_closed", "support_read_only"}
    for kind, (status, code) in told.items():
        assert status not in {401, 405, 500}, (kind, status, code)
        closed = opens is None or (opens == "write" and kind == "read")
        assert not closed or status == 403, (kind, status, code)
        assert closed or code not in refusals, (kind, status, code)
        if route.startswith("HEAD"):
            continue
        wanted = {"support_closed"} if opens is None else {"support_read_only"} if closed else {code}
        assert code in wanted, (kind, status, code)


def test_the_table_names_routes_that_are(house: House) -> None:
    assert SUPPORT.keys() <= set(INSIDE)
