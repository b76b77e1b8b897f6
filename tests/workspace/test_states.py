"""What a workspace answers while it is read-only, suspended or closing; and the shape of its tables."""

import pytest
from sqlalchemy import MetaData, Table

from tenant_app.accounts import models as accounts
from tenant_app.drive import models as drive
from tenant_app.members import models as members
from tenant_app.spaces import models as spaces
from tests.workspace.houses import PASSWORD, House
from tests.workspace.routes import fill, handlers, unsafe_routes

TABLES: list[Table] = [table for room in (accounts, drive, members, spaces) for table in room.metadata.tables.values()]


def test_read_only_reads_and_downloads_everything_and_refuses_each_write(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    file = owner.put(space, "a.txt")
    token = owner.token()
    record = house.change(record, state="read_only")
    page = owner.get(f"/drive/{space}")
    assert "This workspace is read only" in page.text
    assert "data-upload-form" not in page.text
    assert owner.get(f"/drive/{file}/content").content == b"content"
    for path in ("/", "/account", "/members", "/spaces", f"/spaces/{space}", f"/spaces/{space}/trash"):
        assert owner.get(path).status_code == 200
    before = house.rows(record, "select count(*) from journal")
    for path, data in (
        ("/spaces", {"name": "New"}),
        (f"/drive/{space}/folders", {"name": "New"}),
        (f"/drive/{space}/trash", {"of": file}),
        ("/members/invitations", {"emails": "x@example.org", "role": "1"}),
        (f"/members/{record.organisation_id}/role", {"role": "1"}),
    ):
        answer = owner.post(path, data, csrf=token)
        assert answer.status_code == 403
        assert "read only" in answer.text
    upload = owner.http.put(
        f"/drive/{space}/files", params={"name": "b"}, content=b"b", headers={"X-CSRF-Token": token}
    )
    assert upload.status_code == 403
    assert house.rows(record, "select count(*) from journal") == before
    # Coming in, and keeping others out, goes on.
    signing = house.stranger(record).http.post("/sign-in", data={"email": owner.email, "password": PASSWORD})
    assert signing.url.path == "/"
    assert owner.post("/account/sessions/others/revocation", csrf=token).status_code == 200


@pytest.mark.parametrize(("state", "words"), [("suspended", "is suspended"), ("closing", "is closing")])
def test_a_closed_workspace_says_so_on_every_address(house: House, state: str, words: str) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    file = owner.put(space, "a.txt")
    record = house.change(record, state=state)
    for path in ("/", "/sign-in", f"/drive/{file}/content", "/nowhere"):
        answer = owner.get(path)
        assert answer.status_code == 403
        assert words in answer.text
    assert owner.http.post("/sign-in", data={"email": owner.email, "password": PASSWORD}).status_code == 403


def test_every_route_says_who_it_admits(house: House) -> None:
    known = {"admits", "public", "directory"}
    undeclared = [(m, path) for m, path, opt in handlers() if not any(opt.get(one) is not None for one in known)]
    assert undeclared == []


def test_every_route_leads_who_is_not_signed_in_to_the_door(house: House) -> None:
    record = house.workspace()
    stranger = house.stranger(record)
    for method, path, opt in handlers():
        if opt.get("public") or method == "HEAD":
            continue
        answer = stranger.http.request(method, fill(path), follow_redirects=False)
        if opt.get("directory"):
            assert answer.status_code == 401, (method, path, answer.status_code)
            continue
        assert answer.status_code in (303, 403, 411, 415), (method, path, answer.status_code)
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/sign-in")
    scripts = stranger.get("/account", headers={"Accept": "application/json"}, follow_redirects=False)
    assert scripts.status_code == 401
    assert scripts.json()["code"] == "sign_in_needed"


def test_no_write_is_answered_by_a_failure_of_ours(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    token = owner.token()
    hostile = {"csrf": token, "name": "\u0000", "emails": "\u0000@", "role": "٣", "of": "x", "person": "-", "size": "١"}
    for method, path in unsafe_routes():
        if path in ("/sign-out", "/account/sessions/others/revocation"):
            continue
        if method == "PUT":
            answer = owner.http.put(
                fill(path), params={"name": "\u0000"}, content=b"x", headers={"X-CSRF-Token": token}
            )
        else:
            answer = owner.http.post(fill(path), data=hostile)
        assert answer.status_code < 500, (method, path, answer.text)


def test_what_cannot_be_shown_names_the_request_in_problem_details(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    answer = owner.get("/drive/00000000-0000-7000-8000-000000000000", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "This page does not exist" in owner.get("/drive/not-an-id").text


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_rooms_know_their_tables_as_they_are(house: House, table: Table) -> None:
    record = house.workspace()
    real = MetaData()
    import sqlalchemy

    engine = sqlalchemy.create_engine(house.cell.admin_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        found = Table(table.name, real, autoload_with=engine, schema=record.slot)
    finally:
        engine.dispose()
    for column in table.columns:
        there = found.columns[column.name]
        assert there.nullable == (column.nullable and not column.primary_key), column.name
        assert type(there.type)._type_affinity is type(column.type)._type_affinity, column.name
        assert getattr(there.type, "length", None) == getattr(column.type, "length", None), column.name
    required = {c.name for c in found.columns if not c.nullable and c.server_default is None}
    assert required <= {c.name for c in table.columns}
