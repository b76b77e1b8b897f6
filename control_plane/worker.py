"""The background processes: `celery` answers the doorbell, `sweep` rings for what was lost and keeps the house.

    python -m control_plane.worker celery
    python -m control_plane.worker sweep

Both end cleanly on SIGTERM. With PARVIS_HEALTH_PORT set they answer /healthz and /readyz on that port.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from celery import Celery
from sqlalchemy import Engine, text

from control_plane import fleet, identity, operator_api, organisations, provisioning, signup, storage
from control_plane.placement import Databases
from control_plane.provisioning import Loop, Pace, World
from kit import logs
from kit.celery import WAKE, make_app
from kit.db import open_engine, transaction
from kit.periodic import Job, run, serve_health
from kit.settings import ControlPlaneSettings, SettingError

log = logs.get(__name__)

WORKERS = 8
SWEEPERS = 4
SWEEP_SECONDS = 5.0


@dataclass
class Desk:
    """What both processes open once."""

    settings: ControlPlaneSettings
    engine: Engine
    databases: Databases
    loop: Loop

    @classmethod
    def open(cls, settings: ControlPlaneSettings, pace: Pace | None = None) -> "Desk":
        """Open the control plane's database and what the loop needs of the world."""
        vault = settings.vault()
        engine = open_engine(settings.database_url, vault=vault, pool_size=WORKERS + 4)
        databases = Databases(vault)
        world = World(vault, databases, settings.workspace_suffix, settings.site_url, identity.published)
        return cls(settings, engine, databases, Loop(engine, world, organisations.settled, pace=pace))

    def close(self) -> None:
        """Close every connection."""
        self.databases.close()
        self.engine.dispose()

    def ready(self) -> bool:
        """The control plane's database answers."""
        with self.engine.connect() as connection:
            return connection.execute(text("select true")).scalar_one() is True


def celery_app(desk: Desk) -> Celery:
    """The application that answers the doorbell."""
    app = make_app(desk.settings.broker_url)

    def wake(organisation_id: Any = None, *_rest: Any, **_more: Any) -> None:
        answer(desk.loop, organisation_id)

    app.task(name=WAKE, shared=False)(wake)
    return app


def answer(loop: Loop, organisation_id: Any) -> bool:
    """Run the loop for the id of a message. One that is no id is logged and dropped: it would never become one."""
    found = _id(organisation_id)
    if found is None:
        log.error("a message was not for us, and is dropped", message=str(organisation_id)[:100])
        return False
    logs.bind(organisation_id=found)
    try:
        return loop.run(found)
    except Exception:
        # The row is the queue: the sweep comes back to it. A message that raises would come back for ever.
        log.exception("the loop stumbled")
        return False
    finally:
        logs.unbind()


def _id(given: Any) -> UUID | None:
    try:
        return UUID(given)
    except (AttributeError, TypeError, ValueError):
        return None


def serve_doorbell(desk: Desk) -> None:
    """Answer until SIGTERM; then finish what is under way."""
    app = celery_app(desk)
    worker = app.Worker(
        pool="threads",
        concurrency=WORKERS,
        loglevel=desk.settings.log_level,
        hostname=f"parvis-{os.getpid()}@localhost",
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
    )
    worker.start()


def sweep_jobs(desk: Desk, stop: threading.Event) -> list[Job]:
    """What the sweep does, and how often; long work watches `stop`."""
    engine = desk.engine
    deliver = signup.postman(engine, desk.settings)
    pool = ThreadPoolExecutor(SWEEPERS, thread_name_prefix="sweep")
    beating = _beating(engine)
    mirroring = storage.Mirroring(engine, desk.settings.vault(), stop=stop)
    return [
        Job("sweep", SWEEP_SECONDS, beating("sweep", lambda: sweep_due(desk, pool))),
        Job("mails", 0.5, lambda: _nothing(provisioning.deliver_due(engine, deliver))),
        Job("spares", SWEEP_SECONDS, beating("spares", lambda: visit_cells(desk))),
        Job("calendar", 60.0, beating("calendar", lambda: keep_calendar(engine))),
        Job("keys", 15.0, beating("keys", lambda: keep_keys(desk)), late_after=600.0),
        Job("mirrors", 60.0, beating("mirrors", mirroring.round), late_after=600.0),
        Job("sign-in", 10.0, beating("sign-in", lambda: keep_sign_in(desk)), late_after=600.0),
        Job("signatures", 60.0, lambda: _nothing(identity.heed_signatures(engine, desk.databases)), late_after=600.0),
        Job("sign-in notices", 3600.0, lambda: _nothing(identity.send_notices(engine)), late_after=3600.0),
        Job("ticket keys", 3600.0, lambda: forget_ticket_keys(desk), late_after=3600.0),
        Job("orphans", 3600.0, lambda: report_orphans(desk), late_after=3600.0),
    ]


def visit_cells(desk: Desk) -> None:
    """Tell the tenant app of this machine its databases, and keep every database's stock full."""
    with transaction(desk.engine) as session:
        fleet.refresh_cell_file(session, desk.settings.vault(), desk.settings.cell_file)
    fleet.visit(desk.engine, desk.databases)


def _nothing(_result: object) -> None:
    return None


def _beating(engine: Engine) -> Callable[[str, Callable[[], float | None]], Callable[[], float | None]]:
    def beating(name: str, work: Callable[[], float | None]) -> Callable[[], float | None]:
        def round_and_beat() -> float | None:
            asked = work()
            with transaction(engine) as session:
                fleet.beat(session, name)
            return asked

        return round_and_beat

    return beating


def sweep_due(desk: Desk, pool: ThreadPoolExecutor) -> float:
    """Run every row that is due; the seconds until the next one is."""
    with transaction(desk.engine) as session:
        ids = provisioning.due(session, 500)
    for _ in pool.map(lambda one: answer(desk.loop, str(one)), ids):
        pass
    with transaction(desk.engine) as session:
        following = provisioning.seconds_to_next(session)
    return SWEEP_SECONDS if following is None else following


def keep_calendar(engine: Engine) -> None:
    """What comes with time: reservations and sign-ups that run out, reminders, trials that end."""
    with transaction(engine) as session:
        organisations.expire_reservations(session)
        signup.expire(session)
        operator_api.purge_answers(session)
    with transaction(engine) as session:
        organisations.remind_trials(session)
    with transaction(engine) as session:
        organisations.end_trials(session)


def keep_keys(desk: Desk) -> None:
    """End the store keys that nobody uses any more, and rotate those that are old; stores' administrators too."""
    provisioning.end_admin_keys(desk.engine)
    provisioning.keep_keys(desk.engine, desk.loop.world, desk.settings.store_key_days)


def keep_sign_in(desk: Desk) -> None:
    """Organisations' sign-in: proofs of domains, enforcement that holds or reverts, test runs, providers' metadata."""
    identity.keep_enforcement(desk.engine)
    identity.end_tests(desk.engine)
    identity.end_support_times(desk.engine)
    identity.keep_domains(desk.engine, desk.settings)
    identity.keep_metadata(desk.engine, desk.settings)
    identity.forget_erased(desk.engine)


def forget_ticket_keys(desk: Desk) -> None:
    """The cells forget keys of login tickets that no master key gives any more."""
    signup.retire_ticket_keys(desk.engine, desk.databases, desk.loop.world.vault)


def report_orphans(desk: Desk) -> None:
    """Log what has no owner: it should never be there, so a person looks at it."""
    for orphan in provisioning.note_orphans(desk.engine, desk.loop.world):
        log.error("an orphan was found", kind=orphan.kind, where=orphan.where, name=orphan.name)


def sweep(desk: Desk) -> None:
    """Sweep until SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    jobs = sweep_jobs(desk, stop)
    _serve_health(lambda: [job.name for job in jobs if job.late])
    run(jobs, stop)


def _serve_health(late: Callable[[], list[str]]) -> None:
    port = os.environ.get("PARVIS_HEALTH_PORT", "")
    if port:
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise SettingError("PARVIS_HEALTH_PORT", port, "a port number, or nothing for no health port")
        serve_health(int(port), late)


def _database_away(desk: Desk) -> list[str]:
    try:
        desk.ready()
    except Exception:  # noqa: BLE001 - whatever it is, it is not ready
        return ["database"]
    return []


def main(arguments: list[str]) -> int:
    """Run one of the processes; 2 for a wrong command or setting."""
    if arguments not in (["celery"], ["sweep"]):
        sys.stderr.write("usage: python -m control_plane.worker celery|sweep\n")
        return 2
    try:
        settings = ControlPlaneSettings.from_env()
        logs.configure(settings.log_level, process=arguments[0])
        desk = Desk.open(settings)
        if arguments == ["celery"]:
            _serve_health(lambda: _database_away(desk))
            serve_doorbell(desk)
        else:
            sweep(desk)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    desk.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
