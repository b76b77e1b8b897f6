"""Offers, cells and the record by the API."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.operator_api.conftest import Api


def cell(root: Path) -> dict[str, Any]:
    """A body that adds a cell."""
    return {"name": "fr-lyo-1", "region": "fr-lyo", "store": {"kind": "files", "root": str(root / "store")}}


def offer(api: Api, **changes: Any) -> dict[str, Any]:
    """The shipped team offer as a body, changed."""
    now = api.get("/offers/team").json()["offer"]
    kept = {name: now[name] for name in ("names", "entitlements", "terms", "requirements")}
    return {**kept, **changes}


def test_offers_are_listed_and_shown_with_their_versions(api: Api) -> None:
    codes = [one["code"] for one in api.get("/offers").json()["items"]]
    assert set(codes) == {"public-sector", "team", "business", "enterprise"}
    shown = api.get("/offers/team")
    assert shown.headers["etag"] == '"1"'
    assert [one["version"] for one in shown.json()["versions"]] == [1]


def test_a_new_version_leaves_organisations_where_they_are(api: Api) -> None:
    api.order()
    terms = {**offer(api)["terms"], "price_cents": 999}
    answer = api.ask("PUT", "/offers/team", offer(api, terms=terms), if_match='"1"')
    assert (answer.status_code, answer.json()["version"], answer.headers["etag"]) == (200, 2, '"2"')
    assert api.get("/organisations/sevres").json()["offer"] == {"code": "team", "version": 1}
    api.ask("PUT", "/organisations/sevres/offer", {"offer": "team"}, if_match=api.etag("sevres"))
    assert api.get("/organisations/sevres").json()["offer"] == {"code": "team", "version": 2}


def test_a_version_is_published_over_the_one_that_was_read(api: Api) -> None:
    assert api.ask("PUT", "/offers/team", offer(api)).status_code == 428
    stale = api.ask("PUT", "/offers/team", offer(api), if_match='"7"')
    assert (stale.status_code, stale.headers["etag"]) == (412, '"1"')
    same = api.ask("PUT", "/offers/team", offer(api), if_match='"1"')
    assert (same.status_code, same.json()["code"]) == (409, "offer_unchanged")


def test_a_new_offer_is_made_once(api: Api) -> None:
    body = {"code": "school", **offer(api)}
    made = api.ask("POST", "/offers", body)
    assert (made.status_code, made.headers["location"]) == (201, "/api/v1/offers/school")
    again = api.ask("POST", "/offers", body)
    assert (again.status_code, again.json()["code"]) == (409, "offer_exists")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"code": "Team!"}, ["code"]),
        ({"names": {"fr": {"name": "École"}}}, ["names.en"]),
        ({"names": {"fr": {"name": "École", "slogan": "x"}, "en": {"name": "School"}}}, ["names.fr.slogan"]),
        ({"terms": {"trial_months": "three"}}, ["terms.price_cents", "terms.price_per", "terms.trial_months"]),
        ({"entitlements": {"storage_bytes": 10**20}}, None),
        ({"requirements": {"region": "fr-par", "colour": "blue"}}, ["requirements.colour"]),
    ],
)
def test_a_wrong_offer_is_refused_by_field(api: Api, change: dict[str, Any], fields: list[str] | None) -> None:
    answer = api.ask("POST", "/offers", {"code": "school", **offer(api), **change})
    assert answer.status_code == 422
    assert fields is None or [one["field"] for one in answer.json()["errors"]] == fields
    assert api.get("/offers/school").status_code == 404


def test_cells_are_shown_without_any_address_of_their_databases(api: Api) -> None:
    answer = api.get("/cells")
    assert [one["name"] for one in answer.json()["items"]] == ["fr-par-1"]
    assert answer.json()["items"][0]["databases"][0]["name"] == "nowhere_1"
    assert "secret" not in answer.text
    assert "postgresql://" not in answer.text


def test_a_cell_is_added_and_verified(api: Api, tmp_path: Path) -> None:
    made = api.ask("POST", "/cells", cell(tmp_path))
    assert (made.status_code, made.headers["location"]) == (201, "/api/v1/cells/fr-lyo-1")
    again = api.ask("POST", "/cells", cell(tmp_path))
    assert (again.status_code, again.json()["code"]) == (409, "cell_exists")
    assert api.ask("POST", "/cells/fr-lyo-1/verification").json() == {"ok": False, "checks": []}
    unreachable = api.ask("POST", "/cells/fr-par-1/verification").json()
    assert [(one["name"], one["ok"]) for one in unreachable["checks"]] == [("reachable", False)]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"admin_url": "https://example.org/x"}, 422, "admin_url"),
        ({"admin_url": "postgresql://h/Name"}, 422, "admin_url"),
        ({"admin_url": "postgresql://127.0.0.1:9/fine", "capacity": 5000}, 422, "capacity"),
        ({"admin_url": "postgresql://127.0.0.1:9/nowhere_1"}, 409, "admin_url"),
    ],
)
def test_a_wrong_database_is_refused_by_field(api: Api, body: dict[str, Any], status: int, field: str) -> None:
    answer = api.ask("POST", "/cells/fr-par-1/databases", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)


def test_a_database_that_does_not_answer_is_refused_without_its_password(api: Api) -> None:
    answer = api.ask("POST", "/cells/fr-par-1/databases", {"admin_url": "postgresql://u:hush@127.0.0.1:9/away"})
    assert answer.status_code in (422, 503)
    assert "hush" not in answer.text
    assert api.count("cell_database") == 1


def test_the_record_is_listed_filtered_and_verified(api: Api) -> None:
    made = api.order()["organisation"]
    first = api.get("/audit?limit=1").json()
    second = api.get(f"/audit?limit=1&cursor={first['next_cursor']}").json()
    assert first["items"][0]["id"] != second["items"][0]["id"]
    verbs = {one["verb"] for one in api.get("/audit?verb=organisation.").json()["items"]}
    assert verbs == {"organisation.ordered"}
    assert api.get("/audit?since=2099-01-01T00:00:00Z").json()["items"] == []
    whole = api.get("/audit/verification").json()
    assert whole["ok"] is True
    assert whole["events"] >= 6
    with api.engine.begin() as connection:
        connection.execute(
            text('update audit_event set data = \'{"name": "Mairie"}\' where organisation_id = :id'),
            {"id": made["id"]},
        )
    told = api.get("/audit/verification?organisation=sevres").json()
    assert (told["ok"], told["findings"][0]["problem"]) == (False, "edited")
