"""Sign-ins and directories' events by the API: of one organisation, page by page, by what, whom and when."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from control_plane.identity import Scope
from kit.ids import least_id, new_id
from kit.settings import ControlPlaneSettings
from tests.identity.organisations import Setting
from tests.operator_api.conftest import Api, api_of
from tests.world.house import House

NOW = datetime.now(UTC).replace(microsecond=0)
CHECKS = [{"name": "audience", "ok": False, "seen": "https://other.example", "wanted": "https://ours.example"}]


@pytest.fixture(scope="module")
def api(house: House, settings: ControlPlaneSettings) -> Iterator[Api]:
    with api_of(house, settings) as opened:
        yield opened


def at(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def town(house: House, settings: ControlPlaneSettings) -> Setting:
    """Five sign-ins and three events, a minute apart."""
    made = Setting(house, settings, [], house.live())
    lea = made.person("Lea")
    for n in range(5):
        refusal = "saml_audience" if n == 2 else None
        data = {"checks": CHECKS if refusal else [], "result": {"email": f"n{n}@acme.example"}, "refusal": refusal}
        made.sql(
            "insert into ~.sso_trace (id, connection_id, purpose, outcome, data, created_at)"
            " values (%s, %s, 'sign_in', %s, %s, %s)",
            *(least_id(at(n)), new_id(), refusal or "ok", Jsonb(data), at(n)),
        )
    for n, verb in enumerate(("user.disabled", "user.created", "group.created")):
        made.sql(
            "insert into ~.scim_event (id, token_id, verb, object_id, created_at) values (%s, %s, %s, %s, %s)",
            *(least_id(at(n)), new_id(), verb, lea if verb.startswith("user.") else new_id(), at(n)),
        )
    return made


def read(api: Api, of: UUID, what: str, **asked: Any) -> dict[str, Any]:
    query = "&".join(f"{name}={str(value).replace('+', '%2B')}" for name, value in asked.items())
    answer = api.get(f"/organisations/{of}/{what}?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_sign_ins_are_read_page_by_page_with_the_cure(api: Api, town: Setting) -> None:
    of, emails, cursor = town.organisation_id, [], ""
    while True:
        page = read(api, of, "sign-ins", limit=2, **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) <= 2
        emails += [one["data"]["result"]["email"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    assert emails == [f"n{n}@acme.example" for n in range(5)]
    [refused] = read(api, of, "sign-ins", verb="sign_in.refused")["items"]
    assert (refused["outcome"], refused["failure"]["code"]) == ("saml_audience", "saml_audience")
    assert "https://other.example" in refused["failure"]["detail"]
    assert len(read(api, of, "sign-ins", limit=200)["items"]) == 5


def test_events_of_the_directory_are_found_by_what_whom_and_when(api: Api, town: Setting) -> None:
    of = town.organisation_id

    def verbs(**asked: Any) -> list[str]:
        return [one["verb"] for one in read(api, of, "scim-events", **asked)["items"]]

    assert verbs() == ["user.disabled", "user.created", "group.created"]
    assert verbs(verb="user.") == verbs(who="lea@acme") == ["user.disabled", "user.created"]
    assert verbs(since=at(1).isoformat()) == ["user.disabled", "user.created"]
    assert verbs(until=at(1).isoformat()) == ["group.created"]
    assert read(api, of, "scim-events", limit=1)["items"][0]["name"] == "Lea"


def test_each_wants_its_scope_and_shows_its_own_organisation_only(
    api: Api, town: Setting, house: House, settings: ControlPlaneSettings
) -> None:
    rival = Setting(house, settings, [], house.live())
    reader, other = api.issue(Scope.AUDIT_READ), api.issue(Scope.IDENTITY_READ)
    for what in ("sign-ins", "scim-events"):
        path = f"/organisations/{town.organisation_id}/{what}"
        assert (reader.get(path).status_code, other.get(path).status_code) == (200, 403)
        assert read(reader, rival.organisation_id, what)["items"] == []
        assert reader.get(f"{path}?cursor=x").status_code == 400


def test_an_organisation_whose_workspace_is_still_made_says_so(api: Api) -> None:
    made = api.order(f"later-{new_id().hex[:8]}", state=None)["organisation"]
    answer = api.get(f"/organisations/{made['id']}/sign-ins")
    assert (answer.status_code, answer.json()["code"]) == (409, "workspace_missing")


def test_while_the_workspace_waits_for_its_upgrade_the_answer_is_503(
    api: Api, house: House, settings: ControlPlaneSettings
) -> None:
    older = Setting(house, settings, [], house.live())
    older.sql("drop table ~.scim_event")
    answer = api.get(f"/organisations/{older.organisation_id}/scim-events")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    # The control: what is there is read.
    assert read(api, older.organisation_id, "sign-ins")["items"] == []
