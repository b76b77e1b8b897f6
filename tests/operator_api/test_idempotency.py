"""A repeated POST is answered and not done twice; without the key it is, which is what the key is for."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from control_plane.identity import Scope
from control_plane.operator_api import idempotency, purge_answers
from kit.db import transaction
from tests.operator_api.conftest import Api, wish

KEY = "0b9f2d6e-order-1"


def test_the_same_request_gets_the_same_answer_marked_as_replayed(api: Api) -> None:
    first = api.ask("POST", "/organisations", wish(), idempotency_key=KEY)
    # The order of fields does not make another request.
    body = dict(reversed(wish().items()))
    again = api.ask("POST", "/organisations", body, idempotency_key=KEY)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert api.count("organisation") == api.count("operation") == 1


def test_without_a_key_a_repeated_post_is_done_again(api: Api) -> None:
    """The broken control: what the key prevents does happen without it."""
    body = {"name": "twice", "scopes": ["audit:read"]}
    before = api.count("api_token")
    for _ in range(2):
        assert api.ask("POST", "/tokens", body).status_code == 201
    assert api.count("api_token") == before + 2


@pytest.mark.parametrize("other", [wish(name="Another"), None])
def test_another_request_under_the_same_key_is_refused(api: Api, other: Any) -> None:
    api.ask("POST", "/organisations", wish(), idempotency_key=KEY)
    answer = (
        api.ask("POST", "/organisations", other, idempotency_key=KEY)
        if other
        else api.ask("POST", "/tokens", {"name": "n", "scopes": ["audit:read"]}, idempotency_key=KEY)
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert api.count("organisation") == 1


def test_a_key_belongs_to_its_token(api: Api) -> None:
    api.ask("POST", "/organisations", wish(), idempotency_key=KEY)
    other = api.issue(Scope.ORGANISATIONS_WRITE).ask("POST", "/organisations", wish("meudon"), idempotency_key=KEY)
    assert (other.status_code, other.json()["organisation"]["address"]) == (202, "meudon")


def test_a_refusal_is_not_kept_since_nothing_was_done(api: Api) -> None:
    refused = api.ask("POST", "/organisations", wish(offer="gold"), idempotency_key=KEY)
    assert refused.status_code == 422
    assert api.ask("POST", "/organisations", wish(), idempotency_key=KEY).status_code == 202


def test_the_same_key_at_the_same_time_is_refused_as_in_use(api: Api) -> None:
    with api.engine.connect() as elsewhere:
        name = f"{idempotency.PURPOSE}/{api.token.id}/{KEY}"
        elsewhere.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
        answer = api.ask("POST", "/organisations", wish(), idempotency_key=KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_in_use")
    assert api.ask("POST", "/organisations", wish(), idempotency_key=KEY).status_code == 202


def test_ten_at_once_make_one(api: Api) -> None:
    answers: list[int] = []
    start = threading.Barrier(10)

    def one() -> None:
        start.wait()
        answers.append(api.ask("POST", "/organisations", wish(), idempotency_key=KEY).status_code)

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {202, 409}
    assert answers.count(202) >= 1
    assert api.count("organisation") == api.count("operation") == 1


def test_an_answer_with_a_secret_is_kept_sealed(api: Api) -> None:
    body = {"name": "nightly", "scopes": ["audit:read"]}
    secret = api.ask("POST", "/tokens", body, idempotency_key=KEY).json()["secret"]
    again = api.ask("POST", "/tokens", body, idempotency_key=KEY).json()["secret"]
    assert again == secret
    with api.engine.connect() as connection:
        stored = connection.execute(text("select body, headers::text from idempotency_key")).one()
    assert secret.encode() not in bytes(stored[0])
    assert b"nightly" not in bytes(stored[0])


@pytest.mark.parametrize("key", ["", "two words", "é" * 3, "x" * 201])
def test_a_malformed_key_is_refused(api: Api, key: str) -> None:
    answer = api.ask("POST", "/organisations", wish(), idempotency_key=key.encode("latin-1"))  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert api.count("organisation") == 0


def test_answers_are_kept_a_day_at_least_and_then_forgotten(api: Api) -> None:
    assert timedelta(hours=24) <= idempotency.KEPT
    api.ask("POST", "/organisations", wish(), idempotency_key=KEY)
    age = text("update idempotency_key set created_at = now() - cast(:age as interval)")
    for hours, forgotten in ((25, 0), (49, 1)):
        with api.engine.begin() as connection:
            connection.execute(age, {"age": f"{hours} hours"})
        with transaction(api.engine) as session:
            assert purge_answers(session) == forgotten


def test_an_erasure_is_replayed_though_it_changed_the_version_itself(api: Api) -> None:
    api.order(state="failed")
    sent = {"if_match": api.etag("sevres"), "idempotency_key": KEY}
    body = {"confirm_address": "sevres"}
    first = api.ask("POST", "/organisations/sevres/erasure", body, **sent)
    again = api.ask("POST", "/organisations/sevres/erasure", body, **sent)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
