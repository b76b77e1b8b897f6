"""One slice of what somebody asked for, a verification or a restoration, and how it ends."""

from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import SYSTEM
from control_plane.storage import mirror_ledger as ledger
from control_plane.storage.mirror_errors import Refused, explain
from control_plane.storage.mirror_ledger import Lease
from control_plane.storage.mirror_models import MirrorRun
from control_plane.storage.mirror_restoring import Restoration
from control_plane.storage.mirror_runs import Running
from control_plane.storage.mirror_verifying import Verification
from control_plane.storage.mirror_window import Pair
from kit import logs
from kit.errors import Refusal, Unavailable

log = logs.get(__name__)

KINDS: dict[str, type[Running]] = {"verify": Verification, "restore": Restoration}


def work_on_run(lease: Lease, pair: Pair, run: MirrorRun, until: float) -> bool:
    """Go on with this run; whether there is more of it to be done at once."""
    running = KINDS[run.kind](lease, pair, run)
    try:
        done = running.work(until)
    except Refusal as refusal:
        _end(running, failed=refusal)
    except (Unavailable, Refused) as trouble:
        _put_off(running, trouble)
    else:
        if done:
            _end(running)
        else:
            lease.note(lambda session: running.note(session, attempts=0))
        return not done
    return False


def _put_off(running: Running, trouble: Unavailable | Refused) -> None:
    """It is tried again with the next pass, so many times."""
    attempts = running.run.attempts + 1
    if attempts >= running.lease.pace.attempts:
        _end(running, failed=trouble)
        return
    code, words = explain(trouble)
    running.lease.note(lambda session: running.note(session, attempts=attempts, error_code=code, error=words))


def _end(running: Running, failed: Exception | None = None) -> None:
    values: dict[str, Any] = {"state": "done", "error_code": None, "error": None}
    if failed is not None:
        code, words = explain(failed)
        values = {"state": "failed", "error_code": code, "error": words}

    def write(session: Session) -> None:
        running.note(session, **values, finished_at=func.now())
        if failed is None and running.run.kind == "verify":
            _note_verified(session, running)
        _record(session, running, values)

    running.lease.note(write)
    log.info("a mirror's run has ended", kind=running.run.kind, state=values["state"], **running.counts)


def _note_verified(session: Session, running: Running) -> None:
    counts = running.counts
    ledger.write(
        session,
        running.lease.row,
        verified_at=func.now(),
        verified_objects=counts["checked"],
        mismatches=counts["mismatches"],
    )


def _record(session: Session, running: Running, values: dict[str, Any]) -> None:
    verb = {"verify": "mirror.verified", "restore": "mirror.restored"}[running.run.kind]
    if values["state"] == "failed":
        verb = "mirror.run_failed"
    facts = {"run": str(running.run.id), "kind": running.run.kind, "error_code": values["error_code"], **running.counts}
    audit.record(session, verb, actor=SYSTEM, organisation_id=running.lease.organisation_id, data=facts)
