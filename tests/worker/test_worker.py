"""The background processes, real ones: messages lost, doubled, delayed, poisoned; a broker wiped; a worker killed."""

import base64
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from control_plane.embedded import ports
from kit.celery import WAKE, make_app
from kit.vault import Vault
from tests.world.crew import LATE, Crew
from tests.world.house import open_house
from tests.world.servers import valkey_server
from tests.world.waiting import eventually


@pytest.fixture(scope="module")
def crew(postgres: str, _template: str, vault: Vault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    folder = tmp_path_factory.mktemp("crew")
    with open_house(postgres, _template, vault) as house, valkey_server(folder) as (broker, _):
        made = Crew(house, broker, folder)
        yield made
        made.stop()


@pytest.fixture(autouse=True)
def _bell(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARVIS_BROKER_URL", crew.broker)


@pytest.fixture
def worker(crew: Crew) -> "subprocess.Popen[bytes]":
    """A worker that answers."""
    running = crew.processes.get("celery")
    if running is None or running.poll() is not None:
        running = crew.start("celery")
        crew.wait_until(crew.house.order())
    return running


@pytest.fixture
def sweep(crew: Crew) -> "subprocess.Popen[bytes]":
    running = crew.processes.get("sweep")
    if running is None or running.poll() is not None:
        running = crew.start("sweep", PARVIS_HEALTH_PORT=str(crew.health))
        eventually(lambda: healthy(crew))
    return running


def healthy(crew: Crew) -> bool:
    """Whether the sweep answers for itself; once it does, it listens to signals too."""
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{crew.health}/healthz") as answer:
        return bool(json.load(answer) == {"status": "ok", "late": []})
    return False


def wipe(crew: Crew) -> None:
    with make_app(crew.broker).connection_for_write() as connection:
        connection.default_channel.client.flushall()


def test_the_doorbell_alone_makes_an_organisation_live(crew: Crew, worker: object) -> None:
    one = crew.house.order()
    crew.wait_until(one)
    crew.house.settle(one)
    assert crew.house.complaints(one, mails=False) == []


def test_doubled_late_and_poisoned_messages_do_no_harm(crew: Crew, worker: "subprocess.Popen[bytes]") -> None:
    app = make_app(crew.broker)
    one = crew.house.order()
    for _ in range(5):
        app.send_task(WAKE, args=[str(one)])
    for poison in ([], ["not an id"], [None], [{"organisation_id": str(one)}], [str(one), "more"], [7], ["é" * 5000]):
        app.send_task(WAKE, args=poison)
    app.send_task("no.such.task", args=[str(one)])
    app.send_task(WAKE, kwargs={"unknown": 1})
    crew.wait_until(one)
    for _ in range(5):
        app.send_task(WAKE, args=[str(one)])
    crew.wait_until(crew.house.order())
    assert worker.poll() is None
    assert crew.house.last_operation(one).state == "succeeded"
    assert crew.house.complaints(one, mails=False) == []


def test_with_the_broker_wiped_and_the_worker_killed_the_sweep_makes_them_live_all_the_same(
    crew: Crew, worker: "subprocess.Popen[bytes]", sweep: object
) -> None:
    worker.kill()
    worker.wait(60)
    waiting = [crew.house.order() for _ in range(10)]
    wipe(crew)
    assert crew.wait_until(*waiting) < LATE
    assert crew.house.complaints(*waiting, mails=False) == []


def test_a_worker_killed_in_the_middle_of_many_orders_delays_them_by_seconds(
    crew: Crew, worker: object, sweep: object
) -> None:
    waiting = []
    for number in range(20):
        waiting.append(crew.house.order())
        if number == 10:
            crew.processes["celery"].kill()
            crew.processes["celery"].wait(60)
            crew.start("celery")
    assert crew.wait_until(*waiting) < LATE
    assert crew.house.complaints(*waiting, mails=False) == []


def test_orders_are_taken_while_the_broker_is_away(crew: Crew, sweep: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARVIS_BROKER_URL", f"redis://127.0.0.1:{ports.free_port()}/0")
    one = crew.house.order()
    monkeypatch.setenv("PARVIS_BROKER_URL", crew.broker)
    assert crew.wait_until(one) < LATE


def test_the_sweep_keeps_house_and_shows_that_it_lives(crew: Crew, sweep: object) -> None:
    crew.house.sql("update cell_database set spares_wanted = 2")
    eventually(lambda: crew.house.cell.spares() >= 2)
    crew.house.sql("update cell_database set spares_wanted = 0")
    beats = "select name from heartbeat where at > now() - interval '1 minute'"
    eventually(lambda: {row[0] for row in crew.house.sql(beats)} >= {"sweep", "spares"})
    eventually(lambda: healthy(crew))


def test_a_lost_database_connection_is_survived(crew: Crew, worker: object, sweep: object) -> None:
    with psycopg.connect(crew.house.control_url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and datname like 'house%'"
        )
    crew.house.engine.dispose()
    assert crew.wait_until(crew.house.order()) < LATE


@pytest.mark.parametrize("role", ["celery", "sweep"])
def test_it_ends_cleanly_when_asked_and_its_log_has_no_secret(
    crew: Crew, worker: object, sweep: object, role: str
) -> None:
    process = crew.processes[role]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    log = crew.log(role)
    password = crew.house.control_url.split(":")[2].split("@")[0]
    assert password not in log
    assert base64.b64encode(crew.house.vault.master).decode() not in log


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        ([], {}, "usage"),
        (["dance"], {}, "usage"),
        (["sweep"], {"PARVIS_DATABASE_URL": "mysql://x/y"}, "PARVIS_DATABASE_URL"),
        (["celery"], {"PARVIS_BROKER_URL": ""}, "PARVIS_BROKER_URL"),
        (["sweep"], {"PARVIS_MASTER_KEY_FILE": "/nowhere"}, "PARVIS_MASTER_KEY_FILE"),
        (["sweep"], {"PARVIS_HEALTH_PORT": "80a"}, "PARVIS_HEALTH_PORT"),
    ],
)
def test_a_wrong_command_or_setting_is_named(crew: Crew, arguments: list[str], env: dict[str, str], says: str) -> None:
    command = [sys.executable, "-m", "control_plane.worker", *arguments]
    ended = subprocess.run(command, env={**crew.env, **env}, capture_output=True, timeout=180, text=True, check=False)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
