"""Logs are JSON with request and organisation, and carry no secret wherever it stands."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from kit import logs

SECRET = "hunter2-hunter2"
Lines = Callable[[], list[dict[str, Any]]]
# Whatever else is in this process may log at any time, from a thread of its own.
OURS = {"room", "library", "httpx"}


@pytest.fixture
def lines() -> Iterator[Lines]:
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("INFO", process="test", stream=stream)
    yield lambda: [line for line in map(json.loads, stream.getvalue().splitlines()) if line["logger"] in OURS]
    logs.unbind()
    logging.captureWarnings(capture=False)
    root.handlers[:], _ = before[0], root.setLevel(before[1])
    structlog.reset_defaults()


def test_a_line_says_when_what_and_for_whom(lines: Lines) -> None:
    logs.bind(request_id="r-1", organisation_id="o-1")
    logs.get("room").info("it happened", count=3)
    (line,) = lines()
    assert line["event"] == "it happened"
    assert (line["level"], line["logger"], line["process"]) == ("info", "room", "test")
    assert (line["request_id"], line["organisation_id"], line["count"]) == ("r-1", "o-1", 3)
    assert line["time"].endswith("Z")


@pytest.mark.parametrize(
    "values",
    [
        {"password": SECRET},
        {"new_password": SECRET},
        {"api_token": SECRET},
        {"Authorization": f"Bearer {SECRET}"},
        {"headers": {"cookie": f"session={SECRET}"}},
        {"deep": [{"client_secret": SECRET}]},
        {"session": SECRET},
        {"ticket": SECRET},
        {"url": f"postgresql://parvis:{SECRET}@127.0.0.1/parvis"},
        {"url": f"https://a.example/enter?ticket={SECRET}&x=1"},
        {"url": f"/reset?token={SECRET}"},
        {"error": f"could not connect to redis://:{SECRET}@127.0.0.1:6379/0"},
        {"detail": f"Authorization: Bearer {SECRET}"},
        {"detail": f"the token pv_abc123_{SECRET} was used"},
        {"raw": SECRET.encode()},
    ],
    ids=str,
)
def test_a_secret_is_hidden_wherever_it_stands(lines: Lines, values: dict[str, Any]) -> None:
    logs.get("room").warning("careful", **values)
    logging.getLogger("library").warning("careful: %s", values.get("url") or values.get("error") or "")
    assert SECRET not in json.dumps(lines())
    assert len(lines()) == 2


def test_the_control_without_redaction_the_secret_would_stand_there(lines: Lines) -> None:
    logs.get("room").warning("careful", harmless=SECRET)
    assert SECRET in json.dumps(lines())


def test_a_traceback_is_kept_and_its_secrets_are_not(lines: Lines) -> None:
    def fail() -> None:
        raise RuntimeError(f"no route to postgresql://u:{SECRET}@h/x")

    try:
        fail()
    except RuntimeError:
        logs.get("room").exception("failed")
    (line,) = lines()
    assert "RuntimeError" in line["exception"]
    assert SECRET not in line["exception"]


def test_libraries_log_the_same_way_and_the_noisy_ones_only_when_it_matters(lines: Lines) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET …")
    logging.getLogger("httpx").warning("slow")
    logging.getLogger("library").info("%s of %s", 1, 2)
    assert [line["event"] for line in lines()] == ["slow", "1 of 2"]
