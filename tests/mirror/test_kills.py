"""A worker that is killed anywhere costs nothing but time: the next one goes on, and in the end both are equal."""

import base64
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from kit.db import transaction, vault_of
from tests.mirror.town import Town, keys_in
from tests.storage.between import Fate, standing_between
from tests.world.waiting import eventually

MIB = 1024 * 1024
KILLS = 22
# More than the product begins before the first of them has ended, so that each worker could go on a little.
MOST = 60
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


class Narrow:
    """Lets a worker write so many objects and no more: all that are killed together have not done everything."""

    def __init__(self) -> None:
        self.written = 0
        self.most: int | None = MOST

    def fate(self, _number: int, method: str, path: str) -> Fate:
        if method != "PUT" or "partNumber" in path:
            return "pass"
        self.written += 1
        return "pass" if self.most is None or self.written <= self.most else "hang"


@pytest.mark.timeout(600)
def test_a_worker_that_is_killed_again_and_again_ends_with_an_equal_mirror(town: Town) -> None:
    with transaction(town.engine) as session:
        vault_key = base64.b64encode(vault_of(session).master).decode()
    org = town.organisation()
    org.small(200)
    org.put(os.urandom(100 * MIB))
    org.small(1800)
    chance, narrow, cursors = random.Random(20), Narrow(), [""]
    with standing_between(town.backup_endpoint) as between:
        between.fate = narrow.fate
        town.aim("mirror,endpoint", between.endpoint)
        for number in range(KILLS):
            narrow.written = 0
            process = worker(town, vault_key)
            wanted = chance.randrange(MOST)
            eventually(lambda wanted=wanted: narrow.written >= wanted)  # type: ignore[misc]
            if number % 4 == 3:
                eventually(lambda: cursor(town) not in cursors)
            kill(process)
            cursors.append(cursor(town))
        assert 0 < len(keys_in(org.mirror)) < 2001, "it was killed in the middle of its work"
        # Work is not lost: the cursor only went on.
        assert cursors == sorted(cursors)
        narrow.most = None
        process = worker(town, vault_key)
        eventually(lambda: town.seen(org).state == "whole", seconds=300)
        kill(process)
        assert org.same()
        seen = town.seen(org)
        assert (seen.objects, seen.missing, seen.bytes) == (2001, 0, 100 * MIB + 2000 * 300)
        # The next pass finds nothing to do, and no upload of the dead is left.
        assert town.settle(org).copied == 0
    assert b"<UploadId>" not in town.at_mirror("GET", org, {"uploads": ""})


def cursor(town: Town) -> str:
    with town.engine.connect() as connection:
        return connection.execute(text("select cursor from mirror")).scalar_one_or_none() or ""


def test_a_process_that_should_end_leaves_its_work_at_once(town: Town) -> None:
    """SIGTERM is not waited for by a copy that takes minutes."""
    org = town.organisation()
    org.put(os.urandom(100 * MIB))
    stop = threading.Event()

    def held(_number: int, method: str, path: str) -> Fate:
        if method == "PUT" and "partNumber" in path:
            stop.wait(60)
        return "pass"

    with standing_between(town.backup_endpoint) as between:
        between.fate = held
        town.aim("mirror,endpoint", between.endpoint)
        mirroring = town.worker(stop=stop)
        thread = threading.Thread(target=mirroring.round)
        thread.start()
        eventually(lambda: town.at_mirror_uploads(org))
        stop.set()
        thread.join(timeout=60)
        assert not thread.is_alive()
        mirroring.close()
        assert keys_in(org.mirror) == set()
        assert not town.at_mirror_uploads(org)
        assert town.settle(org).objects == 1
    assert org.same()
