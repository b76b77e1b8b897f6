"""Organisations by the API: ordering, finding, changing, and what is refused."""

import pytest

from tests.operator_api.conftest import Api, wish


def test_an_order_is_taken_on_and_names_its_operation(api: Api) -> None:
    answer = api.ask("POST", "/organisations", wish())
    made = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/operations/{made['operation']['id']}"
    assert made["organisation"]["state"] == "ordered"
    assert made["organisation"]["url"] == "http://sevres.parvis.localhost:8080"
    assert made["operation"]["state"] == "pending"
    followed = api.get(answer.headers["location"].removeprefix("/api/v1")).json()
    assert [step["name"] for step in followed["steps"]] == ["slot", "storage", "owner", "route"]
    assert followed["percentage"] == 0
    assert followed["retryable"] is True


def test_every_field_of_an_order_is_kept(api: Api) -> None:
    given = wish(siret="21750001600019", entity_kind="commune", locale="en", cell="fr-par-1", offer="public-sector")
    made = api.ask("POST", "/organisations", given).json()["organisation"]
    assert (made["siret"], made["entity_kind"], made["locale"]) == ("21750001600019", "commune", "en")
    assert made["offer"] == {"code": "public-sector", "version": 1}
    assert made["admin"] == {"email": "camille@sevres.example", "name": "Camille Martin"}


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": ""}, "name", "too_short"),
        ({"name": 7}, "name", "wrong_type"),
        ({"name": "a\u0000b"}, "name", "control_character"),
        ({"address": "www"}, "address", None),
        ({"address": "Sèvres"}, "address", None),
        ({"address": "ab"}, "address", None),
        ({"offer": "gold"}, "offer", "unknown_offer"),
        ({"offer": ["team"]}, "offer", "wrong_type"),
        ({"admin": None}, "admin", "wrong_type"),
        ({"admin": {"email": "camille@sevres.example"}}, "admin.name", "missing"),
        ({"admin": {"email": "camille", "name": "Camille"}}, "admin.email", None),
        ({"admin": {"email": 3, "name": "Camille"}}, "admin.email", "wrong_type"),
        ({"admin": {"email": "a@b.example", "name": "C", "phone": "1"}}, "admin.phone", "unknown_field"),
        ({"siret": "12345678901234"}, "siret", None),
        ({"locale": "de"}, "locale", "unknown_value"),
        ({"cell": "nowhere"}, "cell", None),
        ({"colour": "blue"}, "colour", "unknown_field"),
    ],
)
def test_a_wrong_field_is_named_with_its_cure_and_nothing_is_stored(
    api: Api, change: dict[str, object], field: str, code: str | None
) -> None:
    answer = api.ask("POST", "/organisations", {**wish(), **change})
    problem = answer.json()
    assert answer.status_code in (404, 409, 422), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["field"] for one in problem["errors"]] == [field]
    assert code in (None, problem["errors"][0]["code"])
    assert len(problem["errors"][0]["detail"]) > 10
    assert api.count("organisation") == 0
    assert api.count("operation") == 0


def test_all_wrong_fields_are_named_at_once(api: Api) -> None:
    problem = api.ask("POST", "/organisations", {"name": 1, "admin": {"email": 2}, "colour": 3}).json()
    assert problem["code"] == "invalid_input"
    assert {one["field"]: one["code"] for one in problem["errors"]} == {
        "colour": "unknown_field",
        "address": "missing",
        "offer": "missing",
        "name": "wrong_type",
        "admin.name": "missing",
        "admin.email": "wrong_type",
    }


@pytest.mark.parametrize("body", [b"{", b"[1", b"\xff\xfe", b'{"name": "a" "b"}', b"{" * 20_000])
def test_a_body_that_is_not_json_says_where_it_stops(api: Api, body: bytes) -> None:
    answer = api.ask("POST", "/organisations", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_a_body_must_be_an_object_declared_as_json_and_of_modest_size(api: Api) -> None:
    assert api.ask("POST", "/organisations", b"[]").json()["code"] == "wrong_type"
    assert api.ask("POST", "/organisations", b"").json()["code"] == "body_missing"
    assert api.ask("POST", "/organisations", b"{}", content_type="text/plain").json()["code"] == "not_json"
    large = api.ask("POST", "/organisations", b'{"name": "' + b"x" * 70_000 + b'"}')
    assert (large.status_code, large.json()["code"]) == (413, "too_large")


def test_refusals_speak_the_caller_s_language(api: Api) -> None:
    french = api.ask("POST", "/organisations", {}, accept_language="fr-FR,fr;q=0.9").json()
    english = api.ask("POST", "/organisations", {}, accept_language="en").json()
    assert french["code"] == english["code"] == "invalid_input"
    assert english["errors"][0]["detail"] == "This field is required."
    assert french["errors"][0]["detail"] == "Ce champ est obligatoire."


def test_an_organisation_is_found_by_id_and_by_address(api: Api) -> None:
    made = api.order()["organisation"]
    by_address = api.get("/organisations/sevres")
    assert by_address.json()["id"] == made["id"]
    assert by_address.json() == api.get(f"/organisations/{made['id']}").json()
    assert by_address.headers["etag"] == f'"{by_address.json()["revision"]}"'


@pytest.mark.parametrize(
    "path",
    [
        "/organisations/absent",
        "/organisations/0197b2a4-0000-7000-8000-000000000000",
        "/organisations/%00",
        "/operations/0197b2a4-0000-7000-8000-000000000000",
        "/operations/nonsense",
        "/offers/absent",
        "/cells/absent",
        "/nothing",
    ],
)
def test_what_does_not_exist_answers_alike(api: Api, path: str) -> None:
    answer = api.get(path)
    problem = answer.json()
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["detail"]) == ("not_found", "This does not exist, or is kept for other people.")


def test_a_list_filters_sorts_and_goes_on_by_cursor(api: Api) -> None:
    for number in range(5):
        api.order(f"town-{number}", "live" if number < 3 else None, name=f"Town {number}")
    names = [one["address"] for one in api.get("/organisations?sort=name").json()["items"]]
    assert names == [f"town-{number}" for number in range(5)]
    assert {one["address"] for one in api.get("/organisations?state=live").json()["items"]} == set(names[:3])
    assert api.get("/organisations?offer=business").json()["items"] == []
    assert len(api.get("/organisations?cell=fr-par-1").json()["items"]) == 5
    assert [one["address"] for one in api.get("/organisations?q=town+3").json()["items"]] == ["town-3"]
    first = api.get("/organisations?sort=name&limit=2").json()
    # A row that comes in meanwhile moves nothing.
    api.order("a-town", name="A town")
    second = api.get(f"/organisations?sort=name&limit=2&cursor={first['next_cursor']}").json()
    assert [one["address"] for one in first["items"] + second["items"]] == names[:4]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=blue", "colour"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("sort=size", "sort"),
        ("state=asleep", "state"),
        ("cursor=zzz", "cursor"),
        ("q=%00", "q"),
    ],
)
def test_a_parameter_that_is_unknown_or_wrong_is_400_and_named(api: Api, query: str, field: str) -> None:
    answer = api.get(f"/organisations?{query}")
    assert answer.status_code == 400, answer.text
    assert [one["field"] for one in answer.json()["errors"]] == [field]


def test_holds_and_usage_tell_why_and_how_much(api: Api) -> None:
    api.order()
    api.ask("PUT", "/organisations/sevres/suspension", {"reason": "Unpaid since May"}, if_match=api.etag("sevres"))
    held = api.get("/organisations/sevres/holds?standing=true").json()["items"]
    assert [(one["kind"], one["effect"], one["reason"]) for one in held] == [
        ("technical", "suspended", "Unpaid since May")
    ]
    usage = api.get("/organisations/sevres/usage").json()
    assert usage["storage_bytes"] is None, "its cell cannot be reached in this test"
    assert usage["entitlements"]["storage_bytes"] > 0
