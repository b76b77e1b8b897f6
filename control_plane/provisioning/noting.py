"""What a step taught, written down in the transaction that commits it, and carried on to the steps that follow."""

from dataclasses import replace

from sqlalchemy.orm import Session

from control_plane import audit, placement, storage
from control_plane.audit import SYSTEM
from control_plane.provisioning.world import Effect, Run


def note(session: Session, run: Run, step: str, effect: Effect) -> Run:
    """Write down what `step` taught; the run as the next step needs it."""
    notes = {
        "slot": _slot,
        "remove_slot": _slot,
        "storage": _stored,
        "route": _published,
        "remove_storage": _removed,
    }
    return notes[step](session, run, effect) if step in notes else run


def _slot(session: Session, run: Run, effect: Effect) -> Run:
    if effect.slot == run.place.slot and effect.slot is not None:
        return run
    placement.note_slot(session, run.organisation_id, effect.slot)
    return replace(run, place=replace(run.place, slot=effect.slot))


def _stored(session: Session, run: Run, _effect: Effect) -> Run:
    storage.note_stored(session, run.organisation_id, run.keyring)
    return replace(run, keyring=run.keyring.stored())


def _published(session: Session, run: Run, effect: Effect) -> Run:
    storage.note_published(session, run.organisation_id, run.keyring, effect.directory_version)
    return run


def _removed(session: Session, run: Run, _effect: Effect) -> Run:
    """The store is empty: only now the data keys go, and with them every copy of the files, in any backup."""
    versions = storage.destroy(session, run.organisation_id)
    storage.forget_mirror(session, run.organisation_id)
    if versions:
        facts = {"versions": versions}
        audit.record(session, "data_keys.destroyed", actor=SYSTEM, organisation_id=run.organisation_id, data=facts)
    return run
