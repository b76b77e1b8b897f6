"""How people sign in to one workspace, and who they are there."""

from tenant_app.accounts.account import Account
from tenant_app.accounts.desk import COOKIE, Desk, connection, csrf, desk, require_session, token_of
from tenant_app.accounts.doorway import (
    AnyRequest,
    Room,
    fields,
    origin,
    outside,
    refused_form,
    signed_in,
    told,
)
from tenant_app.accounts.entrance import Entrance
from tenant_app.accounts.journal import note, notes, record
from tenant_app.accounts.models import principal as person
from tenant_app.accounts.models import setting, tally
from tenant_app.accounts.outbox import chore_later, mail_later
from tenant_app.accounts.passwords import hashed, set_password
from tenant_app.accounts.people import Person, add, by_email, by_id, checked_name, lock_seats, normal_email
from tenant_app.accounts.seats import kind_of, require_seats
from tenant_app.accounts.sessions import close_others

__all__ = [
    "COOKIE",
    "Account",
    "AnyRequest",
    "Desk",
    "Entrance",
    "Person",
    "Room",
    "add",
    "by_email",
    "by_id",
    "checked_name",
    "chore_later",
    "close_others",
    "connection",
    "csrf",
    "desk",
    "fields",
    "hashed",
    "kind_of",
    "lock_seats",
    "mail_later",
    "normal_email",
    "note",
    "notes",
    "origin",
    "outside",
    "person",
    "record",
    "refused_form",
    "require_seats",
    "require_session",
    "set_password",
    "setting",
    "signed_in",
    "tally",
    "token_of",
    "told",
]
