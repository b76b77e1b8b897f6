"""How long an organisation's part of a cell takes: from a spare, built on demand, and by django-tenants 4.0.1.

All on one PostgreSQL with durable commits, by turns, each with its owner and its host. Prints one line each.
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from tests.bench import django_models
from tests.world.cells import Cell
from tests.world.servers import create_database, postgres_server

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-bench.lock"
BENCH_VENV = ROOT / ".venv-bench"
DURABLE = {"fsync": "on", "full_page_writes": "on"}
CUSTOMERS = """from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Client(TenantMixin):
    name = models.CharField(max_length=100)
    auto_create_schema = True


class Domain(DomainMixin):
    pass
"""
SPECIAL = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workspace", "0001_initial")]
    operations = [migrations.RunSQL(statement) for statement in {statements!r}]
"""


def main() -> None:
    rounds = int(os.environ.get("BENCH_ROUNDS", "15"))
    peer_python = bench_python()
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with postgres_server(folder, **DURABLE) as server:
            cell = Cell(create_database(server.url, "bench_cell"))
            with django_tenants(peer_python, folder, server.url, cell) as peer:
                spare, built, django = measure(rounds, cell, peer)
                ours = relations(cell.admin_url, "slot_%")
                theirs = relations(cell.admin_url.rpartition("/")[0] + "/bench_django", "t0%")
            cell.close()
    report("tenant from a spare", spare, django, 15)
    report("tenant built on demand", built, django, 4.5)
    print(f"{'schemas':<24}{ours} beside {theirs} of django-tenants")
    print(f"{'django-tenants 4.0.1':<24}{statistics.median(django):8.1f} ms median of {rounds}")


def report(what: str, ours: list[float], theirs: list[float], goal: float) -> None:
    median = statistics.median(ours)
    ratio = statistics.median(theirs) / median
    verdict = "reached" if ratio >= goal else "MISSED"
    print(f"{what:<24}{median:8.1f} ms median of {len(ours)}, {ratio:6.1f}× faster (goal {goal}×: {verdict})")


def relations(url: str, schemas: str) -> str:
    """How many tables and indexes one tenant's schema has, to see that both sides build the same."""
    count = """
    select count(*) filter (where relkind = 'r') || ' tables, ' || count(*) filter (where relkind = 'i') || ' indexes'
    from pg_class where relnamespace = (select min(oid::bigint)::oid from pg_namespace where nspname like %s)
    """
    with psycopg.connect(url) as connection:
        row = connection.execute(count, [schemas]).fetchone()
    assert row is not None
    return str(row[0])


class Peer:
    """The other process: makes one tenant for each name."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def make(self, name: str) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def measure(rounds: int, cell: Cell, peer: Peer) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of each way, by turns; the first turn of each only warms up."""
    spare, built, django = [], [], []
    for turn in range(rounds + 1):
        built.append(timed_tenant(cell))
        cell.database.build_slots(1)
        spare.append(timed_tenant(cell))
        django.append(peer.make(f"t{turn:04d}"))
    return spare[1:], built[1:], django[1:]


def timed_tenant(cell: Cell) -> float:
    organisation_id = uuid4()
    started = time.perf_counter()
    cell.tenant(organisation_id=organisation_id)
    return (time.perf_counter() - started) * 1000


@contextmanager
def django_tenants(python: Path, folder: Path, server_url: str, cell: Cell) -> Iterator[Peer]:
    """A Django project whose tenants have the tables and indexes of our slots."""
    slot = cell.database.build_slots(1)[0]
    tables = django_models.read(cell.admin_url, slot)
    cell.database.take_slot(uuid4(), 1)
    for app, models in (("customers", CUSTOMERS), ("workspace", django_models.models(tables))):
        (folder / app / "migrations").mkdir(parents=True)
        (folder / app / "__init__.py").touch()
        (folder / app / "migrations" / "__init__.py").touch()
        (folder / app / "models.py").write_text(models)
    url = make_url(create_database(server_url, "bench_django"))
    command = [str(python), str(Path(__file__).parent / "django_peer.py"), str(folder), str(url.port)]
    command += [str(url.username), str(url.database)]
    environment = os.environ | {"PEER_PASSWORD": str(url.password)}
    subprocess.run([*command, "makemigrations"], check=True, env=environment)
    special = SPECIAL.format(statements=django_models.special_indexes(tables, slot))
    (folder / "workspace" / "migrations" / "0002_special_indexes.py").write_text(special)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Peer(process)
    finally:
        process.stdin.close()  # type: ignore[union-attr]
        process.wait(timeout=30)


def bench_python() -> Path:
    """The peers' own environment: they never mix with the product's."""
    stamp = BENCH_VENV / f".made-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    python = BENCH_VENV / "bin" / "python"
    if not stamp.exists():
        print("Installing the peers …", file=sys.stderr)
        venv.create(BENCH_VENV, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True)
        stamp.touch()
    return python


if __name__ == "__main__":
    main()
