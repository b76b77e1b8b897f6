"""Changes to an organisation: nouns put on and taken off, against the version that was read, told by dry runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.operator_api.conftest import Api

REASON = {"reason": "Contract 42 has ended"}
# After the end of any trial that begins now, and within the two years that one may last.
LATER = (datetime.now(UTC) + timedelta(days=500)).date().isoformat()
WRITES: list[tuple[str, str, str, Any]] = [
    ("live", "PATCH", "", {"name": "Ville de Sèvres"}),
    ("live", "PUT", "/suspension", REASON),
    ("live", "PUT", "/read-only", REASON),
    ("live", "PUT", "/closure", REASON),
    ("live", "PUT", "/offer", {"offer": "business"}),
    ("live", "PUT", "/trial", {"until": LATER, "reason": "A gift"}),
    ("live", "DELETE", "/suspension", None),
    ("live", "DELETE", "/read-only", None),
    ("live", "DELETE", "/closure", None),
    ("failed", "POST", "/erasure", {"confirm_address": "sevres"}),
]


@pytest.mark.parametrize(("state", "method", "noun", "body"), WRITES)
def test_a_write_wants_the_version_that_was_read(api: Api, state: str, method: str, noun: str, body: Any) -> None:
    api.order(state=state)
    without = api.ask(method, f"/organisations/sevres{noun}", body)
    assert (without.status_code, without.json()["code"]) == (428, "if_match_missing")
    current = api.etag("sevres")
    for stale in ('"999"', f"W/{current}", "nonsense"):
        answer = api.ask(method, f"/organisations/sevres{noun}", body, if_match=stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "stale")
        assert answer.headers["etag"] == current
    assert api.etag("sevres") == current


@pytest.mark.parametrize(("state", "method", "noun", "body"), [write for write in WRITES if write[1] != "DELETE"])
def test_a_write_against_the_present_version_is_taken_on_and_changes_it(
    api: Api, state: str, method: str, noun: str, body: Any
) -> None:
    api.order(state=state)
    before = api.etag("sevres")
    answer = api.ask(method, f"/organisations/sevres{noun}", body, if_match=before)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/operations/{answer.json()['id']}"
    assert api.etag("sevres") != before


@pytest.mark.parametrize("noun", ["suspension", "read-only", "closure"])
def test_what_was_put_on_is_taken_off(api: Api, noun: str) -> None:
    api.order()
    path = f"/organisations/sevres/{noun}"
    assert api.ask("PUT", path, REASON, if_match=api.etag("sevres")).status_code == 202
    answer = api.ask("DELETE", path, if_match=api.etag("sevres"))
    assert answer.status_code == 202, answer.text
    assert api.get("/organisations/sevres/holds?standing=true").json()["items"] == []
    assert api.get("/organisations/sevres").json()["closing_at"] is None
    gone = api.ask("DELETE", path, if_match=api.etag("sevres"))
    assert gone.status_code == 409


def test_a_hold_is_taken_off_by_its_own_noun_only(api: Api) -> None:
    api.order()
    api.ask("PUT", "/organisations/sevres/read-only", REASON, if_match=api.etag("sevres"))
    answer = api.ask("DELETE", "/organisations/sevres/suspension", if_match=api.etag("sevres"))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_such_hold")


def test_each_kind_of_hold_stands_on_its_own(api: Api) -> None:
    api.order()
    for kind in ("billing", "technical"):
        body = {**REASON, "kind": kind}
        assert api.ask("PUT", "/organisations/sevres/suspension", body, if_match=api.etag("sevres")).status_code == 202
    api.ask("DELETE", "/organisations/sevres/suspension?kind=billing", if_match=api.etag("sevres"))
    standing = api.get("/organisations/sevres/holds?standing=true").json()["items"]
    assert [one["kind"] for one in standing] == ["technical"]


@pytest.mark.parametrize(
    ("state", "method", "noun", "body"),
    [write for write in WRITES if write[1] in ("PUT", "POST")],
)
def test_a_dry_run_tells_the_effects_and_changes_nothing(
    api: Api, state: str, method: str, noun: str, body: Any
) -> None:
    api.order(state=state)
    before = api.get("/organisations/sevres").json()
    events, operations = api.count("audit_event"), api.count("operation")
    answer = api.ask(method, f"/organisations/sevres{noun}?dry_run=true", body, if_match=api.etag("sevres"))
    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert told["allowed"] is True
    assert told["effects"], "a dry run that tells nothing is of no use"
    assert all("{" not in line["message"] for line in told["effects"])
    assert api.get("/organisations/sevres").json() == before
    assert (api.count("audit_event"), api.count("operation")) == (events, operations)


def test_a_dry_run_says_why_it_would_be_refused(api: Api) -> None:
    api.order()
    body = {"confirm_address": "sevres"}
    told = api.ask("POST", "/organisations/sevres/erasure?dry_run=true", body, if_match=api.etag("sevres")).json()
    assert (told["allowed"], told["effects"], told["refusal"]["code"]) == (False, [], "wrong_state")


def test_an_erasure_wants_the_address_typed_again(api: Api) -> None:
    api.order(state="failed")
    answer = api.ask(
        "POST", "/organisations/sevres/erasure", {"confirm_address": "meudon"}, if_match=api.etag("sevres")
    )
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "confirm_address")


def test_a_change_that_the_state_does_not_allow_is_a_conflict(api: Api) -> None:
    api.order(state=None)
    answer = api.ask("PUT", "/organisations/sevres/suspension", REASON, if_match=api.etag("sevres"))
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_a_verification_can_be_asked_for_and_followed(api: Api) -> None:
    api.order()
    answer = api.ask("POST", "/organisations/sevres/verification")
    assert (answer.status_code, answer.json()["kind"]) == (202, "verify")
    again = api.ask("POST", "/organisations/sevres/verification")
    assert (again.status_code, again.json()["code"]) == (409, "operation_running")


def test_operations_are_listed_cancelled_and_retried(api: Api) -> None:
    made = api.order(state=None)
    operation = made["operation"]["id"]
    listed = api.get("/operations?organisation=sevres").json()["items"]
    assert [one["id"] for one in listed] == [operation]
    assert api.get("/operations?state=failed").json()["items"] == []
    retried = api.ask("POST", f"/operations/{operation}/retry")
    assert (retried.status_code, retried.json()["id"]) == (202, operation)
    cancelled = api.ask("POST", f"/operations/{operation}/cancellation")
    assert (cancelled.status_code, cancelled.json()["error_code"]) == (202, "cancelled")
    late = api.ask("POST", f"/operations/{operation}/cancellation")
    assert (late.status_code, late.json()["code"]) == (409, "too_late")


def test_an_old_operation_is_not_retried_in_the_place_of_the_present_one(api: Api) -> None:
    old = api.order()["operation"]["id"]
    api.ask("PUT", "/organisations/sevres/suspension", REASON, if_match=api.etag("sevres"))
    answer = api.ask("POST", f"/operations/{old}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_retry")


def test_every_change_is_in_the_record_with_its_token_and_request(api: Api) -> None:
    made = api.order()
    answer = api.ask("PUT", "/organisations/sevres/suspension", REASON, if_match=api.etag("sevres"))
    found = api.get("/audit?organisation=sevres&verb=organisation.hold_placed").json()["items"]
    assert len(found) == 1
    assert found[0]["actor"]["id"] == str(api.token.id)
    assert found[0]["actor"]["request_id"] == answer.headers["x-request-id"]
    assert found[0]["organisation_id"] == made["organisation"]["id"]
