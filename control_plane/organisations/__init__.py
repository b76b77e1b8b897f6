"""Who the customer is: orders, the one state graph, holds, closing and erasing, trials, search."""

from control_plane.organisations.addresses import (
    AddressAnswer,
    check_address,
    expire_reservations,
    release_reservation,
    reserve_address,
)
from control_plane.organisations.effects import Effect, Effects, preview
from control_plane.organisations.fields import (
    ENTITY_KINDS,
    check_email,
    check_entity_kind,
    check_name,
    check_siret,
    email_key,
    fold,
)
from control_plane.organisations.holds import KINDS as HOLD_KINDS
from control_plane.organisations.holds import read_only, resume, suspend
from control_plane.organisations.lifecycle import NOTICE_DAYS, change_offer, close, erase, rename, reopen, verify
from control_plane.organisations.models import STATES, Hold, Organisation
from control_plane.organisations.once import check_trial_unused
from control_plane.organisations.searching import Search, counts, near_duplicates, search
from control_plane.organisations.service import (
    NewOrganisation,
    entitled,
    find,
    get,
    holds,
    order,
    owner_id,
)
from control_plane.organisations.settled import settled
from control_plane.organisations.storage import (
    Agreement,
    Finding,
    StorageView,
    compare_books,
    rotate_keys,
    storage_of,
)
from control_plane.organisations.trials import end_trials, extend_trial, remind_trials
from control_plane.organisations.usage import usage
from kit.pages import Page

__all__ = [
    "ENTITY_KINDS",
    "HOLD_KINDS",
    "NOTICE_DAYS",
    "STATES",
    "AddressAnswer",
    "Agreement",
    "Effect",
    "Effects",
    "Finding",
    "Hold",
    "NewOrganisation",
    "Organisation",
    "Page",
    "Search",
    "StorageView",
    "change_offer",
    "check_address",
    "check_email",
    "check_entity_kind",
    "check_name",
    "check_siret",
    "check_trial_unused",
    "close",
    "compare_books",
    "counts",
    "email_key",
    "end_trials",
    "entitled",
    "erase",
    "expire_reservations",
    "extend_trial",
    "find",
    "fold",
    "get",
    "holds",
    "near_duplicates",
    "order",
    "owner_id",
    "preview",
    "read_only",
    "release_reservation",
    "remind_trials",
    "rename",
    "reopen",
    "reserve_address",
    "resume",
    "rotate_keys",
    "search",
    "settled",
    "storage_of",
    "suspend",
    "usage",
    "verify",
]
