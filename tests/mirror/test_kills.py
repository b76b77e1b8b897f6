"""A worker that is killed anywhere costs nothing but time: the next one goes on, and in the end both are equal."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mirror.town import Town, keys_in

MIB = 1024 * 1024
KILLS = 22
WORK = """
import sys
from datetime import timedelta
from control_plane.storage import Mirroring, MirrorPace
from kit.db import open_engine
from kit.vault import Vault
url, key = sys.stdin.read().split()
pace = MirrorPace(lease=timedelta(seconds=0.3), note_every=timedelta(seconds=0.05), slice=timedelta(seconds=1.0))
worker = Mirroring(open_engine(url, vault=Vault.from_text(key)), Vault.from_text(key), pace=pace)
print("ready", flush=True)
while True:
    worker.round(30)
"""


def worker(town: Town, vault_key: str) -> "subprocess.Popen[str]":
    """The worker as a process of its own, about to begin."""
    url = town.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", WORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{url} {vault_key}")
    process.stdin.close()
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait(timeout=60)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.timeout(300)
def test_a_worker_that_is_killed_again_and_again_ends_with_an_equal_mirror(town: Town) -> None:
    import base64

    from kit.db import transaction, vault_of

    with transaction(town.engine) as session:
        vault_key = base64.b64encode(vault_of(session).master).decode()
    org = town.organisation()
    org.small(1000)
    org.put(os.urandom(100 * MIB))
    org.small(1000)
    chance = random.Random(20)
    cursors: list[str] = []
    for _ in range(KILLS):
        process = worker(town, vault_key)
        time.sleep(chance.uniform(0.02, 0.5))
        kill(process)
        cursors.append(cursor(town) or "")
    assert 0 < len(keys_in(org.mirror)) < 2001, "it was killed in the middle of its work"
    # Work is not lost: the cursor only went on, and it did more than once.
    assert cursors == sorted(cursors)
    assert len(set(cursors)) > 3
    process = worker(town, vault_key)
    deadline = time.monotonic() + 120
    while town.seen(org).state != "whole":
        assert time.monotonic() < deadline, town.seen(org)
        time.sleep(0.1)
    kill(process)
    assert org.same()
    seen = town.seen(org)
    assert (seen.objects, seen.missing, seen.bytes) == (2001, 0, 100 * MIB + 2000 * 300)
    # The next pass finds nothing to do, and no upload of the dead is left.
    assert town.settle(org).copied == 0
    assert b"<UploadId>" not in town.at_mirror("GET", org, {"uploads": ""})


def cursor(town: Town) -> str | None:
    from sqlalchemy import text

    with town.engine.connect() as connection:
        found: str | None = connection.execute(text("select cursor from mirror")).scalar_one_or_none()
        return found


def test_a_process_that_should_end_leaves_its_work_at_once(town: Town) -> None:
    """SIGTERM is not waited for by a copy that takes minutes."""
    import threading

    org = town.organisation()
    org.put(os.urandom(300 * MIB))
    stop = threading.Event()
    mirroring = town.worker(stop=stop)
    thread = threading.Thread(target=mirroring.round)
    thread.start()
    deadline = time.monotonic() + 90
    while not town.at_mirror_uploads(org):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    stop.set()
    thread.join(timeout=60)
    assert not thread.is_alive()
    mirroring.close()
    assert keys_in(org.mirror) == set()
    assert not town.at_mirror_uploads(org)
    assert town.settle(org).objects == 1
    assert org.same()
