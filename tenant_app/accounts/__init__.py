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
    to_provider,
    told,
)
from tenant_app.accounts.entrance import Entrance
from tenant_app.accounts.invited import Invited
from tenant_app.accounts.journal import note, notes, record
from tenant_app.accounts.keepers import address_of, keepers
from tenant_app.accounts.leftovers import forget_sign_ins
from tenant_app.accounts.models import principal as person
from tenant_app.accounts.models import setting, tally
from tenant_app.accounts.outbox import chore_later, mail_later
from tenant_app.accounts.passwords import hashed, set_password
from tenant_app.accounts.people import Person, add, by_email, by_id, checked_name, lock_seats, normal_email
from tenant_app.accounts.policies import enforcing
from tenant_app.accounts.proof import Proof
from tenant_app.accounts.rights import give_sso_admin, lose_sso_admin, sso_admins
from tenant_app.accounts.seats import kind_of, require_seats
from tenant_app.accounts.sessions import Way, close_others
from tenant_app.accounts.sso import Abroad, SingleSignOn
from tenant_app.accounts.sso_out import SingleLogout

__all__ = [
    "COOKIE",
    "Abroad",
    "Account",
    "AnyRequest",
    "Desk",
    "Entrance",
    "Invited",
    "Person",
    "Proof",
    "Room",
    "SingleLogout",
    "SingleSignOn",
    "Way",
    "add",
    "address_of",
    "by_email",
    "by_id",
    "checked_name",
    "chore_later",
    "close_others",
    "connection",
    "csrf",
    "desk",
    "enforcing",
    "fields",
    "forget_sign_ins",
    "give_sso_admin",
    "hashed",
    "keepers",
    "kind_of",
    "lock_seats",
    "lose_sso_admin",
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
    "sso_admins",
    "tally",
    "to_provider",
    "token_of",
    "told",
]
