"""`python -m control_plane.embedded.firstrun`: databases, offers, the first cell, the first account. Safe to repeat.

A run that is cut off anywhere is finished by the next one: each part looks first whether it is done.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyotp
from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from control_plane import catalogue, fleet, identity, placement
from control_plane.audit import SYSTEM
from control_plane.embedded import stores
from control_plane.embedded.house import House, write_private
from control_plane.embedded.prepared import CONTROL
from kit import logs
from kit.db import open_engine, transaction
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from migrations.control_plane import upgrade

CELL, REGION = "local", "local"
CELL_DATABASE = "parvis_cell_1"
CAPACITY, SPARES = 2000, 50
TOKEN_DAYS = 3650

log = logs.get("firstrun")


def ensure_database(admin_url: str, name: str, *, role: str | None = None, password: str = "") -> None:
    """A database is there, owned by `role` (made with `password`) or by the administrator."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if role is not None:
            known = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
            verb = sql.SQL("alter" if known else "create")
            connection.execute(
                sql.SQL("{} role {} login password {}").format(verb, sql.Identifier(role), sql.Literal(password))
            )
        if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            owned = sql.SQL(" owner {}").format(sql.Identifier(role)) if role else sql.SQL("")
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)) + owned)


def ensure_cell(session: Session, vault: Vault, house: House, admin_url: str) -> None:
    """The cell `local` with its store and one database, and its file."""
    store = stores.of(house).settings()
    if all(cell.name != CELL for cell in placement.cells(session)):
        placement.add_cell(session, CELL, REGION, [], store, SYSTEM)
    else:
        renew_store(session, store)
    if not placement.cell(session, CELL).databases:
        address = f"{admin_url.rpartition('/')[0]}/{CELL_DATABASE}"
        placement.add_database(session, vault, CELL, address, CAPACITY, SPARES, SYSTEM)
    fleet.write_cell_file(session, vault, CELL, house.cell_file)


def upgrade_cells(engine: Engine, vault: Vault) -> None:
    """Directory and slots are of this release before its processes start; what stays behind is left to the sweep."""
    databases = placement.Databases(vault)
    try:
        for one in fleet.upgrade_all(engine, databases):
            if not one.done:
                log.warning("left to the sweep", database=one.database, trouble=one.trouble, behind=one.behind)
    finally:
        databases.close()


def renew_store(session: Session, store: dict[str, Any]) -> None:
    """The cell's store has the addresses of this start; what an operator did with it stays: a mirror, another key."""
    before = placement.cell(session, CELL).store
    if before.get("admin_key_since"):
        store["admin_key_id"] = before["admin_key_id"]
    if store.get("admin_key_id") == before.get("admin_key_id"):
        store.pop("admin_secret", None)
    placement.set_store(session, CELL, {**before, **store}, SYSTEM)


def ensure_staff(session: Session, vault: Vault, drawn: dict[str, Any]) -> None:
    """The first member of staff, with the password and the second factor that were drawn for it."""
    email, secret = drawn["staff_email"], drawn["staff_totp_secret"]
    if identity.find_staff(session, email) is None:
        role, password = identity.Role.OPERATOR, drawn["staff_password"]
        locale = "fr" if os.environ.get("LC_ALL", os.environ.get("LANG", "")).startswith("fr") else "en"
        identity.create_staff(
            session, vault, email, "First operator", role, password, totp_secret=secret, locale=locale
        )


def issue_token(session: Session) -> str:
    """A token for scripts with every scope."""
    expires = datetime.now(UTC) + timedelta(days=TOKEN_DAYS)
    _, plaintext = identity.issue_token(session, "first run", list(identity.Scope), expires, [], SYSTEM)
    return plaintext


def tell(house: House, drawn: dict[str, Any], token: str) -> None:
    """Write `first-run.json`, readable by its owner only."""
    email, secret = drawn["staff_email"], drawn["staff_totp_secret"]
    staff = {
        "email": email,
        "password": drawn["staff_password"],
        "totp_secret": secret,
        "otpauth_url": pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Parvis"),
    }
    write_private(house.first_run, json.dumps({**house.urls(), "staff": staff, "api_token": token}, indent=2) + "\n")


def prepare(house: House, settings: ControlPlaneSettings, admin_url: str) -> None:
    """Bring this installation to where this version of Parvis can serve."""
    drawn = house.secrets()
    ensure_database(admin_url, CONTROL, role=CONTROL, password=drawn["control_password"])
    ensure_database(admin_url, CELL_DATABASE)
    vault = settings.vault()
    engine = open_engine(settings.database_url, pool_size=2, vault=vault)
    try:
        upgrade(engine)
        with transaction(engine) as session:
            catalogue.seed(session)
        with transaction(engine) as session:
            ensure_cell(session, vault, house, admin_url)
        upgrade_cells(engine, vault)
        with transaction(engine) as session:
            ensure_staff(session, vault, drawn)
        if not house.first_run.exists():
            with transaction(engine) as session:
                token = issue_token(session)
            # Only now does it count. A run cut off here issues another.
            tell(house, drawn, token)
    finally:
        engine.dispose()


def main() -> int:
    """Run by the supervisor, which tells all by the environment."""
    logs.configure(process="firstrun")
    house = House(Path(os.environ["PARVIS_UP_FOLDER"]), int(os.environ["PARVIS_PORT"]))
    prepare(house, ControlPlaneSettings.from_env(), os.environ["PARVIS_EMBEDDED_ADMIN_URL"])
    log.info("prepared")
    return 0


if __name__ == "__main__":
    sys.exit(main())
