"""Who may push: a token of this very workspace, alive, and nobody else."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import psycopg
import pytest

from kit.credentials import new_token
from tenant_app.contract import Identity
from tests.matrix.declared import WORKSPACE
from tests.scim.directories import DOMAIN, ERROR, Directory, a_token, a_user, client_of, opened
from tests.workspace.houses import House, together

ROUTES = [name for name, access in WORKSPACE.items() if access == "directory"]


def is_scim_error(answer: httpx.Response, status: int) -> bool:
    body = answer.json()
    return (
        answer.status_code == status
        and body["schemas"] == [ERROR]
        and body["status"] == str(status)
        and bool(body["detail"])
        and answer.headers["content-type"].startswith("application/scim+json")
    )


@pytest.fixture(scope="module")
def keys(house: House) -> dict[str, Any]:
    """A workspace, its neighbour, and everybody's way to ask."""
    ours, theirs = opened(house), opened(house)
    old, other = new_token(), new_token()
    tokens = (a_token(ours.secret), a_token(other), a_token(old, expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    record = house.change(ours.record, identity=Identity(domains=(DOMAIN,), scim_tokens=tokens, brake_percent=100))
    ours = Directory(house, record, ours.secret, client_of(house, record, ours.secret))
    owner = house.owner(record)
    owner_cookies = "; ".join(f"{one.name}={one.value}" for one in owner.http.cookies.jar)
    ways = {
        "nobody": {},
        "a token that never was": {"Authorization": f"Bearer {new_token()}"},
        "an expired token": {"Authorization": f"Bearer {old}"},
        "the neighbour's token": {"Authorization": f"Bearer {theirs.secret}"},
        "another scheme": {"Authorization": f"Basic {ours.secret}"},
        "the hash of the token": {"Authorization": f"Bearer {hashlib.sha256(ours.secret.encode()).hexdigest()}"},
        "an empty token": {"Authorization": "Bearer"},
        "the owner's own session": {"Cookie": owner_cookies},
    }
    return {"ours": ours, "theirs": theirs, "ways": ways, "second": other}


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_lets_in_the_directory_of_its_workspace_only(keys: dict[str, Any], route: str) -> None:
    method, _, path = route.partition(" ")
    for name in ("of", "name", "rest"):
        path = path.replace(f"{{{name}}}", str(uuid4()))
    ours: Directory = keys["ours"]
    with client_of(ours.house, ours.record, None) as http:
        url = ours.house.url(ours.record) + path
        # Whoever guesses too often is told to wait: a refusal too.
        for place, (who, headers) in enumerate(keys["ways"].items()):
            answer = http.request(method, url, headers=headers, json={})
            assert is_scim_error(answer, 401) or answer.status_code == 429, (who, answer.text)
            if place == 0 and answer.status_code == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
        for secret in (ours.secret, keys["second"]):
            right = http.request(method, url, headers={"Authorization": f"Bearer {secret}"}, json={})
            assert right.status_code not in {401, 403, 405, 500}, right.text


def test_a_token_works_on_its_own_host_and_changes_nothing_on_another(house: House) -> None:
    ours, theirs = opened(house), opened(house)
    mine = ours.user("anna")
    crossed = client_of(house, theirs.record, ours.secret)
    assert crossed.get(f"/Users/{mine['id']}").status_code == 401
    assert crossed.post("/Users", json=a_user()).status_code == 401
    # The controls: the same token where it belongs, and the other host's own token, for whom she does not exist.
    assert ours.get(f"/Users/{mine['id']}").status_code == 200
    for answer in (
        theirs.get(f"/Users/{mine['id']}"),
        theirs.patch(f"/Users/{mine['id']}", {"op": "replace", "path": "active", "value": False}),
        theirs.delete(f"/Users/{mine['id']}"),
    ):
        assert is_scim_error(answer, 404)
    group = theirs.group("Ours?", [mine["id"]])
    assert theirs.members(group["id"]) == []
    assert ours.person(mine["id"])[3] is True
    assert house.rows(theirs.record, "select count(*) from scim_user")[0][0] == 0


def test_without_its_own_role_a_directory_would_reach_the_neighbour(house: House) -> None:
    """The control: the same statement, the neighbour's schema in its path and no role of a slot, finds her."""
    ours = opened(house)
    mine = ours.user("anna")
    with psycopg.connect(house.cell.admin_url) as connection:
        connection.execute(f"set search_path = {ours.record.slot}".encode())
        row = connection.execute("select count(*) from scim_user where id = %s", [UUID(mine["id"])]).fetchone()
        assert row == (1,)


def test_a_revoked_token_ends_within_a_second_or_so(house: House) -> None:
    push = opened(house)
    assert push.get("/Users").status_code == 200
    house.change(push.record, identity=msgspec.structs.replace(push.record.identity, scim_tokens=()))
    assert push.get("/Users").status_code == 401


def test_who_guesses_tokens_is_held_up_and_the_directory_is_not(house: House) -> None:
    push = opened(house)
    with client_of(house, push.record, None) as http:

        def until_held_up(headers: dict[str, str]) -> list[httpx.Response]:
            """Each two seconds one more is let through, so it is not said which is the first that is not."""
            answers = []
            while not answers or answers[-1].status_code != 429:
                assert len(answers) < 1000
                answers.append(http.get("Users", headers=headers))
            return answers

        wrong = until_held_up({"Authorization": "Bearer guessed"})
        [*_, without] = until_held_up({})
    assert len(wrong) > 20
    assert {one.status_code for one in wrong[:-1]} == {401}
    assert int(wrong[-1].headers["retry-after"]) >= 1
    assert int(without.headers["retry-after"]) >= 1
    assert push.get("/Users").status_code == 200


def test_a_directory_that_runs_wild_is_told_when_to_go_on(house: House) -> None:
    push = opened(house)
    # Twice as much at once as it may, and as much again for what is allowed anew while they come.
    bulk = {"Operations": [{"method": "DELETE", "path": f"/Users/{uuid4()}"}] * 1000}
    clients = [client_of(house, push.record, push.secret) for _ in range(8)]
    found: list[httpx.Response] = together([lambda http=http: http.post("Bulk", json=bulk) for http in clients])
    late = next(one for one in found if one.status_code == 429)
    assert is_scim_error(late, 429)
    assert 1 <= int(late.headers["retry-after"]) <= 10
    assert {one.status_code for one in found} == {200, 429}


def test_a_token_is_no_person(shared: Directory) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert is_scim_error(shared.http.request(method, "Me"), 501)


def test_a_method_that_an_address_does_not_take_is_refused_in_scim_s_words_and_elsewhere_in_ours(
    shared: Directory,
) -> None:
    answer = shared.http.delete("Users")
    assert is_scim_error(answer, 405)
    assert set(answer.headers["allow"].replace(" ", "").split(",")) >= {"GET", "POST"}
    assert is_scim_error(shared.http.post("Nowhere", json={}), 405)
    assert is_scim_error(shared.http.get("Nowhere"), 404)
    other = shared.http.delete(shared.house.url(shared.record) + "/members", headers={"Accept": "application/json"})
    assert (other.status_code, other.json()["code"]) == (405, "method_not_allowed")


def test_a_token_opens_no_page_and_no_session_comes_with_it(shared: Directory) -> None:
    headers = {"Authorization": f"Bearer {shared.secret}", "Accept": "application/json"}
    answer = httpx.Client.get(shared.http, shared.house.url(shared.record) + "/members", headers=headers)
    assert answer.status_code == 401
    assert "set-cookie" not in shared.get("/Users").headers


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"null", b"{", b"7"])
def test_what_is_no_object_is_refused(shared: Directory, body: bytes) -> None:
    for path in ("Users", "Groups", "Bulk", "Users/.search"):
        answer = shared.http.post(path, content=body)
        assert is_scim_error(answer, 400), (path, answer.text)


def test_a_body_that_is_too_large_is_refused(shared: Directory) -> None:
    body = b'{"userName": "' + b"x" * (5 * 2**20) + b'"}'
    assert is_scim_error(shared.http.post("Users", content=body), 413)
    long = shared.post("/Users", {"userName": "x" * 300})
    assert is_scim_error(long, 400)


def test_the_secret_of_a_token_stands_in_no_log(house: House) -> None:
    push = opened(house)
    push.user()
    push.http.get("Users", headers={"Authorization": "Bearer wrong-secret-of-a-directory"})
    output = (house.folder / "output").read_text()
    assert push.secret not in output
    assert "wrong-secret-of-a-directory" not in output


def test_a_read_only_workspace_lets_people_go_and_takes_none_in(house: House) -> None:
    push = opened(house)
    anna, bruno = push.user("anna"), push.user("bruno")
    push.patch(f"/Users/{bruno['id']}", {"op": "replace", "path": "active", "value": False})
    push.record = house.change(push.record, state="read_only")
    assert push.get(f"/Users/{anna['id']}").status_code == 200
    assert is_scim_error(push.post("/Users", a_user("hugo")), 403)
    again = push.patch(f"/Users/{bruno['id']}", {"op": "replace", "path": "active", "value": True})
    assert is_scim_error(again, 403)
    gone = push.patch(f"/Users/{anna['id']}", {"op": "replace", "path": "active", "value": False})
    assert gone.status_code == 200
    assert push.person(anna["id"])[3] is False
    house.change(push.record, state="suspended")
    assert push.get("/Users").status_code == 403
