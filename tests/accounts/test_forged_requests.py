"""Writes that another site made a browser send."""

import pytest

from tests.workspace.houses import House
from tests.workspace.routes import fill, unsafe_routes


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
)
def test_a_write_from_another_site_is_refused_even_with_a_token(house: House, headers: dict[str, str]) -> None:
    record = house.workspace()
    owner = house.owner(record)
    assert owner.post("/spaces", {"name": "Forged"}, headers=headers).status_code == 403
    assert owner.http.post("/sign-in", data={"email": "a", "password": "b"}, headers=headers).status_code == 403
    assert house.rows(record, "select count(*) from space")[0][0] == 0


def test_a_write_without_this_session_s_token_is_refused(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    member, _ = house.add(record)
    for token in ("", "AAAA", member.token()):
        assert owner.post("/spaces", {"name": "Forged"}, csrf=token).status_code == 403
    assert house.rows(record, "select count(*) from space")[0][0] == 0
    # The control: the same request with the right token is taken.
    assert owner.post("/spaces", {"name": "Meant"}).status_code == 200
    assert house.rows(record, "select count(*) from space")[0][0] == 1


def test_every_unsafe_route_of_the_workspace_refuses_without_a_token(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    routes = unsafe_routes()
    assert len(routes) > 25
    for method, path in routes:
        files = {"files": ("a.txt", b"x")} if method == "POST" and path.endswith("/files") else None
        body = {"content": b"x"} if method == "PUT" else {"data": {"name": "x"}, "files": files}
        answer = owner.http.request(method, fill(path), **body)
        assert answer.status_code == 403, (method, path, answer.status_code)
