"""Who may ask: tokens, their scopes, ends, networks and allowances; and tokens that make tokens."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.identity import Scope
from control_plane.operator_api import Buckets
from control_plane.operator_api.limits import too_many
from kit.db import transaction
from kit.vault import Vault
from tests.operator_api.conftest import Api, Opened


@pytest.mark.parametrize(
    ("header", "code", "challenge"),
    [
        ("", "token_missing", 'Bearer realm="parvis"'),
        ("Basic YTpi", "token_missing", 'Bearer realm="parvis"'),
        ("Bearer", "token_missing", 'Bearer realm="parvis"'),
        ("Bearer nonsense", "token_unknown", 'Bearer realm="parvis", error="invalid_token"'),
        ("Bearer pv_0123456789_wrong", "token_unknown", 'Bearer realm="parvis", error="invalid_token"'),
    ],
)
def test_without_a_known_token_nothing_is_told(api: Api, header: str, code: str, challenge: str) -> None:
    answer = api.client.get("/api/v1/organisations", headers={"authorization": header} if header else {})
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == challenge


def test_an_expired_a_revoked_and_a_foreign_token_are_refused(api: Api) -> None:
    ending = api.issue(Scope.OFFERS_READ, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert ending.get("/offers").status_code == 200
    with api.engine.begin() as connection:
        connection.execute(
            text("update api_token set expires_at = now() - interval '1 second' where id = :id"),
            {"id": ending.token.id},
        )
    expired = ending.get("/offers")
    assert (expired.status_code, expired.json()["code"]) == (401, "token_expired")
    revoked = api.issue(Scope.OFFERS_READ)
    assert api.ask("DELETE", f"/tokens/{revoked.token.id}").status_code == 204
    assert (revoked.get("/offers").status_code, revoked.get("/offers").json()["code"]) == (401, "token_revoked")
    elsewhere = api.issue(Scope.OFFERS_READ, networks=("192.0.2.0/24",)).get("/offers")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "token_network")


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_without_the_scope_is_told_which_one_it_lacks(api: Api, scope: Scope) -> None:
    method, path = {
        "organisations:read": ("GET", "/organisations"),
        "organisations:write": ("POST", "/organisations"),
        "offers:read": ("GET", "/offers"),
        "offers:write": ("POST", "/offers"),
        "cells:read": ("GET", "/cells"),
        "cells:write": ("POST", "/cells"),
        "operations:read": ("GET", "/operations"),
        "operations:write": ("POST", "/operations/0197b2a4-0000-7000-8000-000000000000/retry"),
        "storage:read": ("GET", "/storage"),
        "storage:write": ("POST", "/organisations/sevres/storage/verification"),
        "identity:read": ("GET", "/organisations/sevres/domains"),
        "identity:write": ("POST", "/organisations/sevres/domains"),
        "support:read": ("GET", "/organisations/sevres/support"),
        "support:write": ("POST", "/organisations/sevres/support"),
        "tokens:read": ("GET", "/tokens"),
        "tokens:write": ("POST", "/tokens"),
        "audit:read": ("GET", "/audit"),
    }[scope]
    answer = api.issue(*[one for one in Scope if one != scope]).ask(method, path)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert scope in answer.json()["detail"]
    assert f'scope="{scope}"' in answer.headers["www-authenticate"]


def test_a_token_s_last_use_is_noted(api: Api) -> None:
    used = api.issue(Scope.OFFERS_READ)
    used.get("/offers")
    listed = {one["id"]: one for one in api.get("/tokens").json()["items"]}
    assert listed[str(used.token.id)]["used_at"] is not None
    assert listed[str(used.token.id)]["used_from"] == "testclient"
    assert all("secret" not in name for one in listed.values() for name in one)


def test_a_token_is_made_shown_once_and_rotated(api: Api) -> None:
    body = {"name": "nightly", "scopes": ["offers:read"], "networks": [], "expires_at": "2099-01-01T00:00:00Z"}
    answer = api.ask("POST", "/tokens", body)
    made = answer.json()
    assert answer.status_code == 201
    assert made["secret"].startswith(f"pv_{made['token']['prefix']}_")
    assert api.as_(made["secret"]).get("/offers").status_code == 200
    rotated = api.ask("POST", f"/tokens/{made['token']['id']}/rotation").json()
    assert rotated["token"]["replaces_id"] == made["token"]["id"]
    assert rotated["token"]["scopes"] == ["offers:read"]
    assert [api.as_(one["secret"]).get("/offers").status_code for one in (made, rotated)] == [200, 200]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"networks": ["office"]}, "networks"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
    ],
)
def test_a_wrong_token_is_refused_by_field(api: Api, change: dict[str, object], field: str) -> None:
    before = api.count("api_token")
    answer = api.ask("POST", "/tokens", {"name": "n", "scopes": ["offers:read"], **change})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert api.count("api_token") == before


def test_no_token_makes_one_that_may_more_than_itself(api: Api) -> None:
    small = api.issue(Scope.TOKENS_WRITE, Scope.OFFERS_READ)
    assert small.ask("POST", "/tokens", {"name": "n", "scopes": ["offers:read"]}).status_code == 201
    beyond = small.ask("POST", "/tokens", {"name": "n", "scopes": ["audit:read"]})
    assert (beyond.status_code, beyond.json()["code"]) == (403, "scope_beyond")
    # Rotating a stronger token would hand out its successor's secret.
    stolen = small.ask("POST", f"/tokens/{api.token.id}/rotation")
    assert (stolen.status_code, stolen.json()["code"]) == (403, "scope_beyond")


def test_a_token_is_handed_over_and_stops_with_whoever_answers_for_it(api: Api, vault: Vault) -> None:
    with transaction(api.engine) as session:
        marc, ines = (
            identity.create_staff(session, vault, f"{name}-owner@parvis.example", name, "operator", None)
            for name in ("marc", "ines")
        )
    small = api.issue(Scope.TOKENS_READ)
    path = f"/tokens/{small.token.id}/owner"

    def shown() -> tuple[str | None, bool]:
        [one] = [one for one in api.get("/tokens").json()["items"] if one["id"] == str(small.token.id)]
        return one["owner"], one["stopped"]

    assert shown() == (None, False)
    handed = api.ask("PUT", path, {"staff": marc.email})
    assert (handed.status_code, handed.json()["owner"]) == (200, marc.email)
    assert small.get("/tokens").status_code == 200
    with transaction(api.engine) as session:
        identity.disable_staff(session, marc.id, actor=SYSTEM)
    stopped = small.get("/tokens")
    assert (stopped.status_code, stopped.json()["code"]) == (401, "token_owner_gone")
    assert shown() == (marc.email, True)
    refused = api.ask("PUT", path, {"staff": marc.email})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "staff")
    assert api.ask("PUT", path, {"staff": ines.email}).status_code == 200
    assert (small.get("/tokens").status_code, shown()) == (200, (ines.email, False))


def test_each_answer_tells_what_is_left_and_an_empty_bucket_is_429(open_api: Opened) -> None:
    now = [0.0]
    api = open_api(Buckets(limit=3, per_second=0.5, clock=lambda: now[0]))
    left = [api.get("/offers").headers["ratelimit-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = api.get("/offers")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert (refused.headers["ratelimit-limit"], refused.headers["retry-after"]) == ("3", "2")
    assert api.issue(Scope.OFFERS_READ).get("/offers").status_code == 200, "another token has its own"
    now[0] += 2
    assert api.get("/offers").status_code == 200


def test_the_handlers_share_one_bucket_a_token(open_api: Opened) -> None:
    api = open_api(Buckets(limit=10, per_second=0.001))
    paths = ["/offers", "/cells", "/tokens", "/organisations"]
    assert [api.get(path).headers["ratelimit-remaining"] for path in paths] == ["9", "8", "7", "6"]
    assert str(too_many(Buckets(limit=0).take(api.token.id))).startswith("This token has used up")
