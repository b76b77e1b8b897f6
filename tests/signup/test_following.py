"""From the mailed link to the workspace's door."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import Engine

from control_plane import placement, signup
from control_plane.audit import SYSTEM
from control_plane.organisations import Organisation, owner_id
from control_plane.signup.entering import Doors, ticket_key
from kit.db import transaction
from kit.errors import Refusal
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from tenant_app.contract import CellDatabase, check
from tests.signup.conftest import SITE, Site


def confirmed(site: Site, **fields: str) -> str:
    """Sign up and press the button: the path of the progress page."""
    assert site.sign_up(**fields).status_code == 303
    answer = site.post(site.link())
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def settle(site: Site, *states: str) -> None:
    for state in states:
        site.sql("update organisation set state = :state", state=state)


def token_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def test_opening_the_link_confirms_nothing(site: Site) -> None:
    site.sign_up("fr")
    link = site.link()
    for _ in range(3):
        answer = site.get(link, "fr")
        assert answer.status_code == 200
        assert "Ville de Saint-Aubin" in answer.text
        assert "saint-aubin.parvis.localhost:8080" in answer.text
    assert site.count("organisation") == 0
    assert site.post(link).status_code == 303
    assert site.count("organisation") == 1


def test_a_second_press_in_the_same_browser_leads_to_the_same_progress(site: Site) -> None:
    site.sign_up()
    link = site.link()
    first = site.post(link)
    again = site.post(link)
    assert again.headers["location"] == first.headers["location"]
    assert site.get(link).headers["location"] == first.headers["location"]
    assert site.count("organisation") == 1


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_used_link_says_so_to_anybody_else(site: Site, lang: str) -> None:
    site.sign_up()
    link = site.link()
    site.post(link)
    site.client.cookies.clear()
    for answer in (site.get(link, lang), site.post(link, lang=lang), site.get("/signup/confirm/nothing", lang)):
        assert answer.status_code == 410
        assert ("Inscrivez-vous de nouveau" if lang == "fr" else "Sign up again") in answer.text


def test_a_confirmation_that_cannot_be_ordered_says_why_and_keeps_the_link(site: Site) -> None:
    site.sign_up()
    link = site.link()
    site.sql("update cell set open = false")
    answer = site.post(link, lang="fr")
    assert answer.status_code >= 400
    assert "pas de place pour cette offre" in answer.text
    assert site.count("organisation") == 0
    site.sql("update cell set open = true")
    assert site.post(link).status_code == 303


def test_progress_shows_the_true_steps_of_the_ledger(site: Site) -> None:
    path = confirmed(site)
    before = site.get(path, "fr").text
    assert "1 étapes sur 5" in before or "1 étape sur 5" in before
    assert "Stockage de 100" in before
    assert '<noscript><meta http-equiv="refresh"' in before
    site.sql(
        "update step set state = 'retrying', attempts = 1, error = 'connect to 10.0.0.9: refused', next_try_at = now()"
        " + interval '9 s' where name = 'storage'"
    )
    now = site.get(path, "fr").text
    assert "Le stockage n’a pas répondu." in now
    assert re.search("Nouvel essai dans 9.s", now)
    assert "10.0.0.9" not in now


def test_progress_survives_closing_and_is_for_its_own_browser(site: Site) -> None:
    path = confirmed(site)
    assert site.get(path).status_code == 200
    site.client.cookies.clear()
    assert site.get(path).status_code == 404
    assert site.get(f"{path}/events").status_code == 404
    assert site.post(f"{path}/enter").status_code == 404


def test_failure_is_said_in_plain_words_and_ends_the_reloading(site: Site) -> None:
    path = confirmed(site)
    settle(site, "provisioning", "failed")
    page = site.get(path).text
    assert "could not be prepared" in page
    assert "noscript" not in page
    assert "/enter" not in page


def events(site: Site, path: str, last: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    headers = {"last-event-id": last} if last else {}
    answer = site.get(f"{path}/events", **headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = re.findall(r"id: (\w+)\ndata: (.*)\n\n", answer.text)
    return [(mark, json.loads(body)) for mark, body in found]


def test_the_stream_tells_the_end_and_closes(site: Site) -> None:
    path = confirmed(site)
    settle(site, "provisioning", "live")
    ((mark, told),) = events(site, path)
    assert told["over"] is True
    assert 'action="/signup/progress/' in told["html"]
    assert events(site, path, last=mark) == []


def test_the_stream_goes_on_until_the_end(site: Site) -> None:
    import threading

    path = confirmed(site)
    timer = threading.Timer(0.4, lambda: settle(site, "provisioning", "live"))
    timer.start()
    told = events(site, path)
    timer.join()
    assert [event["over"] for _, event in told] == [False, True]
    assert len({mark for mark, _ in told}) == 2


def test_entering_needs_the_token_of_this_browser(site: Site) -> None:
    path = confirmed(site)
    settle(site, "provisioning", "live")
    assert site.post(f"{path}/enter").status_code == 403
    assert site.post(f"{path}/enter", {"csrf": "forged"}).status_code == 403


def test_nobody_enters_before_the_last_step(site: Site, vault: Vault) -> None:
    path = confirmed(site)
    assert "/enter" not in site.get(path).text
    with pytest.raises(Refusal, match="not open"), transaction(site.engine) as session:
        Doors(site.settings, vault).url(session, session.query(Organisation).one(), "sign_up")


@pytest.fixture
def real_cell(site: Site, cell_url: str, vault: Vault) -> CellDatabase:
    """A real cell database beside the one that nobody can reach; new organisations go there."""
    with transaction(site.engine) as session:
        placement.add_database(session, vault, "local", cell_url, 100, 0, SYSTEM)
    site.sql("delete from cell_database where name = 'nowhere_1'")
    return CellDatabase(cell_url)


def ticket_in(location: str, vault: Vault, real_cell: CellDatabase, organisation: Any) -> Any:
    found = re.fullmatch(r"http://saint-aubin\.parvis\.localhost:8080/enter\?ticket=(.+)", location)
    assert found
    keys = real_cell.signing_keys()
    assert set(keys) == {ticket_key(vault).kid}
    return check(found[1], keys, "saint-aubin.parvis.localhost", organisation)


def test_entering_gives_a_ticket_that_the_cell_accepts(site: Site, vault: Vault, real_cell: CellDatabase) -> None:
    path = confirmed(site)
    settle(site, "provisioning", "live")
    answer = site.post(f"{path}/enter", {"csrf": token_of(site.get(path).text)})
    assert answer.status_code == 303, answer.text
    ((organisation,),) = site.sql("select id from organisation")
    ticket = ticket_in(answer.headers["location"], vault, real_cell, organisation)
    assert (ticket.purpose, ticket.principal_id) == ("sign_up", owner_id(organisation))
    real_cell.close()


def test_the_mailed_link_into_the_workspace_works_once(
    site: Site, vault: Vault, real_cell: CellDatabase, settings: ControlPlaneSettings
) -> None:
    confirmed(site)
    settle(site, "provisioning", "live")
    site.client.cookies.clear()
    ((organisation, email),) = site.sql("select id, admin_email from organisation")
    with transaction(site.engine) as session:
        path = signup.entry_url(session, settings, organisation, email).removeprefix(SITE)
    for _ in range(2):
        assert "Enter the workspace" in site.get(path).text
    answer = site.post(path)
    assert answer.status_code == 303
    assert ticket_in(answer.headers["location"], vault, real_cell, organisation).purpose == "first_sign_in"
    for again in (site.get(path), site.post(path)):
        assert again.status_code == 410
    real_cell.close()


def test_a_mailed_link_ends_after_a_week_and_with_its_addressee(
    site: Site, settings: ControlPlaneSettings, equipped: Engine
) -> None:
    confirmed(site)
    settle(site, "provisioning", "live")
    with transaction(equipped) as session:
        row = session.query(Organisation).one()
        paths = [
            signup.entry_url(session, settings, row.id, email).removeprefix(SITE)
            for email in (row.admin_email, "someone@before.fr")
        ]
    assert [site.get(path).status_code for path in paths] == [200, 410]
    site.sql("update entry_link set expires_at = now() - interval '1 second'")
    assert site.get(paths[0]).status_code == 410


def test_a_workspace_that_is_not_open_keeps_its_link_for_later(
    site: Site, settings: ControlPlaneSettings, equipped: Engine
) -> None:
    confirmed(site)
    settle(site, "provisioning", "live", "suspended")
    with transaction(equipped) as session:
        row = session.query(Organisation).one()
        path = signup.entry_url(session, settings, row.id, row.admin_email).removeprefix(SITE)
    site.client.cookies.clear()
    assert site.post(path).status_code == 409
    assert site.sql("select used_at from entry_link") == [(None,)]
