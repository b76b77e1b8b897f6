"""What support looked at stands in the workspace's journal: each page and file once a minute, with both names."""

import re
import time
from uuid import UUID

from tenant_app.contract import Identity, TenantRecord
from tests.support.consents import INES, agreed, entered
from tests.workspace.houses import House


def lines(house: House, record: TenantRecord) -> list[tuple[str, str]]:
    found = house.rows(record, "select verb, data ->> 'path' from journal where verb like 'support.%%' order by id")
    return [(str(verb), str(path)) for verb, path in found if verb != "support.entered"]


def test_each_page_and_file_is_noted_once_a_minute_with_both_names(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space("Budget")
    owner.put(space, "plan.txt", b"secret plan")
    found = re.search(r"/drive/([0-9a-f-]{36})/content", owner.get(f"/drive/{space}").text)
    assert found
    file = UUID(found[1])
    record, grant = agreed(house, record)
    staff = entered(house, record, grant)
    for _ in range(3):
        assert staff.get(f"/drive/{space}").status_code == 200
        assert staff.get(f"/drive/{file}").status_code == 200
    assert staff.http.head(f"/drive/{file}/content").status_code == 200
    for _ in range(2):
        assert staff.http.get(f"/drive/{file}/content", follow_redirects=False).status_code == 302
        assert staff.http.get(f"/drive/{file}/content?version=1", follow_redirects=False).status_code == 302
    assert lines(house, record) == [
        ("support.opened", "/"),
        ("support.opened", f"/drive/{space}"),
        ("support.opened", f"/drive/{file}"),
        ("support.opened", f"/drive/{file}/content"),
        ("support.downloaded", f"/drive/{file}/content"),
        ("support.downloaded", f"/drive/{file}/content?version=1"),
    ]
    said = house.rows(record, "select distinct actor_id, data -> 'support' from journal where verb like 'support.%%'")
    assert said == [(record.organisation_id, {"grant": str(grant.id), "staff": str(INES), "name": "Inès Bakkali"})]
    # What was noted longer ago than a minute is noted again.
    older = UUID(int=file.int & ~(((1 << 48) - 1) << 80) | int((time.time() - 61) * 1000) << 80)
    home = "verb = 'support.opened' and data ->> 'path' = '/'"
    house.rows(record, f"update journal set id = %s where {home}", older)
    assert staff.get("/").status_code == 200
    assert house.rows(record, f"select count(*) from journal where {home}") == [(2,)]


def test_what_was_refused_or_is_not_there_was_not_seen_and_members_leave_no_trail(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space("Budget")
    colleague, _ = house.add(record, role=1)
    hidden = colleague.space("Privé")
    record, grant = agreed(house, record)
    staff = entered(house, record, grant)
    before = lines(house, record)
    assert staff.get(f"/drive/{hidden}").status_code == 404
    assert staff.get(f"/drive/{grant.id}").status_code == 404
    assert staff.get("/account").status_code == 403
    house.change(record, identity=Identity())
    assert staff.get(f"/drive/{space}").status_code == 403
    assert lines(house, record) == before
    # The control: the owner looks at the same, and nothing is written about it.
    assert owner.get(f"/drive/{space}").status_code == 200
    assert lines(house, record) == before


def test_support_is_noted_in_a_workspace_that_is_read_only_too(house: House) -> None:
    record = house.workspace()
    house.owner(record)
    record, grant = agreed(house, record, read_only=False)
    staff = entered(house, record, grant)
    record = house.change(record, state="read_only")
    assert staff.get("/spaces").status_code == 200
    assert ("support.opened", "/spaces") in lines(house, record)


def test_what_cannot_be_written_down_is_not_shown(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space("Budget")
    owner.put(space, "plan.txt", b"secret plan")
    record, grant = agreed(house, record)
    staff = entered(house, record, grant)
    house.rows(record, "alter table journal rename to journal_away")
    answer = staff.get(f"/drive/{space}")
    assert answer.status_code == 500
    assert "plan.txt" not in answer.text
    # The control: whoever leaves no trail reads on; and with the journal back, so does support.
    assert "plan.txt" in owner.get(f"/drive/{space}").text
    house.rows(record, "alter table journal_away rename to journal")
    assert "plan.txt" in staff.get(f"/drive/{space}").text
