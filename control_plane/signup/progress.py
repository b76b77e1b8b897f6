"""How far a new workspace has come, in a visitor's words. Every line is a true step of the ledger."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from control_plane import catalogue, provisioning
from control_plane.organisations import Organisation
from control_plane.provisioning import Step
from control_plane.signup.models import SignupRequest
from kit.interface import N_, translator
from kit.interface.formats import seconds, size

TITLES = {
    "slot": (N_("Database"), N_("A compartment that belongs to you alone")),
    "storage": (N_("Storage of {size}"), N_("With keys of your own")),
    "owner": (N_("Your administrator account"), "{email}"),
    "route": (N_("Opening"), N_("Last step: the address answers")),
}
TROUBLE = {
    "slot": N_("The database did not answer."),
    "storage": N_("Storage did not answer."),
    "owner": N_("Your account could not be made at the first try."),
    "route": N_("The address could not be opened at the first try."),
}
READY = frozenset({"live", "read_only"})
ENDED = frozenset({"failed", "erased", "closing", "suspended"})


@dataclass(frozen=True)
class Line:
    """One step as it is shown."""

    title: str
    state: str
    detail: str
    time: str


@dataclass(frozen=True)
class Snapshot:
    """The progress page at one moment. `mark` changes when anything shown changes."""

    lines: list[Line]
    done: int
    total: int
    outcome: str
    mark: str

    @property
    def over(self) -> bool:
        """Nothing more will change by itself."""
        return self.outcome != "working"


def snapshot(session: Session, row: SignupRequest, organisation: Organisation, locale: str, host: str) -> Snapshot:
    """What the ledger says now, in the reader's language."""
    _ = translator(locale)
    entitled = catalogue.version(session, organisation.offer_code, organisation.offer_version).entitlements
    facts = {"size": size(entitled.storage_bytes, locale), "email": row.email}
    lines = [Line(_("Address reserved"), "done", host, "")]
    operation = provisioning.current_operation(session, organisation.id)
    steps = provisioning.steps(session, operation.id) if operation else []
    lines += [_line(step, facts, locale) for step in steps if step.name in TITLES]
    done = sum(line.state == "done" for line in lines)
    outcome = "ready" if organisation.state in READY else "ended" if organisation.state in ENDED else "working"
    mark = hashlib.blake2s(repr((outcome, lines)).encode(), digest_size=8).hexdigest()
    return Snapshot(lines, done, len(lines), outcome, mark)


def _line(step: Step, facts: dict[str, str], locale: str) -> Line:
    _ = translator(locale)
    title, detail = (_(words).format(**facts) for words in TITLES[step.name])
    time = seconds(step.milliseconds, locale) if step.state == "done" else ""
    if step.state == "retrying":
        detail = f"{_(TROUBLE[step.name])} {_again(step, locale)}"
        time = _("try {n}").format(n=step.attempts + 1)
    elif step.state == "failed":
        detail = _(TROUBLE[step.name])
    return Line(title, step.state, detail, time)


def _again(step: Step, locale: str) -> str:
    _ = translator(locale)
    wait = int((step.next_try_at - datetime.now(UTC)).total_seconds()) + 1 if step.next_try_at else 0
    if wait <= 0:
        return _("Trying again now; nothing for you to do.")
    return _("Trying again in {n} s; nothing for you to do.").format(n=wait)
