"""Counting what hangs on which master key, and sealing anew what hangs on an older one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from control_plane import audit, placement, provisioning, storage
from control_plane.audit import SYSTEM, Actor
from control_plane.sealing.columns import SEALED, Sealed
from kit import logs
from kit.db import transaction
from kit.errors import Unavailable
from kit.vault import Vault, key_id

BATCH = 100
ROUNDS = 5
# Keys from before they were random: nothing of them is sealed yet, they derive from the first master key.
DERIVED = {
    "audit_key.key_sealed": "select count(*) from audit_key where key_sealed is null",
    "cell.key_sealed": "select count(*) from cell where key_sealed is null",
    "store_key.secret_sealed": "select count(*) from store_key where secret_sealed is null and state <> 'gone'",
}

log = logs.get(__name__)

Progress = Callable[[str, int, int], None]
"""Told after each small transaction: the column, how many texts are done, of how many."""


@dataclass(frozen=True)
class Line:
    """How many texts of a column hang on which key, by its id; "" for texts from before keys had names.

    `derived` ones are not sealed at all yet, and hang on the first key that there was.
    """

    column: str
    by_key: dict[str, int]
    derived: int = 0


@dataclass(frozen=True)
class Status:
    """What hangs on which master key. `key_id` is the key that seals now, `known` are all that this process has."""

    key_id: str
    known: tuple[str, ...]
    lines: list[Line] = field(default_factory=list)

    @property
    def sealed(self) -> int:
        """Texts under the key that seals now."""
        return sum(line.by_key.get(self.key_id, 0) for line in self.lines)

    @property
    def left(self) -> int:
        """What still hangs on an older key: with none left, older keys may go."""
        return sum(sum(line.by_key.values()) + line.derived for line in self.lines) - self.sealed

    @property
    def lost(self) -> int:
        """Texts whose key nobody has given to this process."""
        known = {"", *self.known}
        return sum(count for line in self.lines for name, count in line.by_key.items() if name not in known)


def status(session: Session, vault: Vault) -> Status:
    """Count every sealed text by its key."""
    lines = [_line(session, sealed) for sealed in SEALED]
    lines.append(Line("store_key.secret_sealed", {}, _count(session, DERIVED["store_key.secret_sealed"])))
    return Status(vault.key_id, tuple(key_id(key) for key in vault.keys), lines)


def _line(session: Session, sealed: Sealed) -> Line:
    found = session.execute(
        text(
            f"select case when position('.' in t) > 0 then split_part(t, '.', 1) else '' end, count(*)"  # noqa: S608
            f" from (select {sealed.text} as t from {sealed.table}) found where t <> '' group by 1 order by 1"
        )
    )
    derived = DERIVED.get(sealed.name)
    return Line(sealed.name, {row[0]: row[1] for row in found}, _count(session, derived) if derived else 0)


def _count(session: Session, query: str) -> int:
    return int(session.execute(text(query)).scalar_one())


def reseal(engine: Engine, vault: Vault, actor: Actor = SYSTEM, progress: Progress | None = None) -> Status:
    """Seal by the vault's first key what hangs on another, in small transactions, beside everything that runs.

    Answers how it stands afterwards. Whatever stops it, what is done is done; running it again does the rest.
    """
    _adopt(engine, vault)
    tell = progress or (lambda _column, _done, _total: None)
    done = 0
    for _ in range(ROUNDS):
        done += sum(_reseal_column(engine, vault, sealed, tell) for sealed in SEALED)
        with transaction(engine) as session:
            now = status(session, vault)
        if now.left <= now.lost:
            break
        # A row that somebody held was passed over: he is done in a moment.
        time.sleep(0.2)
    with transaction(engine) as session:
        facts = {"key": now.key_id, "resealed": done, "left": now.left}
        audit.record(session, "vault.resealed", actor=actor, data=facts)
    return now


def _adopt(engine: Engine, vault: Vault) -> None:
    """Keys that only derive from the first master key are kept from now on, so that it may go."""
    with transaction(engine) as session:
        audit.audit_key(session)
        for cell in placement.cells(session):
            placement.cell_vault(session, vault, cell.name)
        found = storage.unadopted(session)
    for organisation_id in found:
        with transaction(engine) as session:
            # As the loop does, which may want the same keys at this very moment.
            provisioning.lock(session, organisation_id)
            storage.adopt(session, vault, organisation_id)


def _reseal_column(engine: Engine, vault: Vault, sealed: Sealed, tell: Progress) -> int:
    with transaction(engine) as session:
        total = _count(session, _select(sealed, "count(*)").replace(":own", f"'{vault.key_id}.%'"))
    done, after = 0, None
    while True:
        with transaction(engine) as session:
            rows = _batch(session, vault, sealed, after)
            done += sum(_reseal(session, vault, sealed, row) for row in rows)
        if not rows:
            return done
        after = {name: rows[-1][name] for name in sealed.key}
        tell(sealed.name, done, total)


def _select(sealed: Sealed, what: str) -> str:
    return f"select {what} from {sealed.table} where {sealed.text} <> '' and {sealed.text} not like :own"  # noqa: S608


def _batch(session: Session, vault: Vault, sealed: Sealed, after: dict[str, Any] | None) -> list[dict[str, Any]]:
    keys = ", ".join(sealed.key)
    query = _select(sealed, f"{keys}, {sealed.text} as sealed_text")
    if after is not None:
        query += f" and ({keys}) > ({', '.join(f':{name}' for name in sealed.key)})"
    query += f" order by {keys} limit {BATCH} for update skip locked"
    found = session.execute(text(query), {"own": f"{vault.key_id}.%", **(after or {})})
    return [dict(row._mapping) for row in found]  # noqa: SLF001 - SQLAlchemy's public name for it


def _reseal(session: Session, vault: Vault, sealed: Sealed, row: dict[str, Any]) -> bool:
    purpose = sealed.purpose_of(row)
    try:
        plain = vault.open(row["sealed_text"], purpose)
    except Unavailable:
        log.error("a sealed text cannot be opened", column=sealed.name, purpose=purpose)  # noqa: TRY400 - says it all
        return False
    where = " and ".join(f"{name} = :{name}" for name in sealed.key)
    session.execute(
        text(f"update {sealed.table} set {sealed.column} = {sealed.replaced} where {where}"),  # noqa: S608
        {"sealed": vault.seal(plain, purpose), **{name: row[name] for name in sealed.key}},
    )
    return True
