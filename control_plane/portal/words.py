"""How the portal names and paints what other rooms store: states, steps, kinds of operations, events."""

from datetime import datetime

from kit.interface import N_, Look, look_of
from kit.interface.entries import PARIS

STATES: dict[str, Look] = {
    "ordered": Look(N_("Ordered"), "info", "clock"),
    "provisioning": Look(N_("Being prepared"), "info", spin=True),
    "live": Look(N_("Live"), "ok", "circle-check"),
    "read_only": Look(N_("Read-only"), "warn", "eye"),
    "suspended": Look(N_("Suspended"), "bad", "pause"),
    "closing": Look(N_("Closing"), "plain", "clock"),
    "erased": Look(N_("Erased"), "plain", "trash"),
    "failed": Look(N_("Failed"), "bad", "circle-x"),
}

OPERATION_STATES: dict[str, Look] = {
    "pending": Look(N_("Waiting"), "info", "clock"),
    "running": Look(N_("Under way"), "info", spin=True),
    "succeeded": Look(N_("Succeeded"), "ok", "circle-check"),
    "failed": Look(N_("Failed"), "bad", "circle-x"),
    "cancelled": Look(N_("Was cancelled"), "plain", "ban"),
    "superseded": Look(N_("Replaced by a later one"), "plain", "arrow-right"),
}

KINDS: dict[str, str] = {
    "create": N_("Create the workspace"),
    "change": N_("Apply changes"),
    "suspend": N_("Suspend the workspace"),
    "resume": N_("Resume the workspace"),
    "read_only": N_("Make the workspace read-only"),
    "close": N_("Close the workspace"),
    "reopen": N_("Reopen the workspace"),
    "erase": N_("Erase the workspace"),
    "verify": N_("Verify and mend"),
    "rotate": N_("Rotate keys"),
    "retire": N_("Remove a key that nobody uses"),
}

STEPS: dict[str, str] = {
    "slot": N_("A schema and a role of its own in the cell's database"),
    "storage": N_("Storage account, bucket and quota"),
    "owner": N_("The first administrator"),
    "route": N_("Publish the address; the workspace answers"),
    "remove_route": N_("Take the address away; nothing answers any more"),
    "remove_storage": N_("Remove files, bucket and storage account"),
    "remove_slot": N_("Remove the schema and its role"),
}

HOLDS: dict[str, str] = {
    "contract": N_("Contract"),
    "billing": N_("Billing"),
    "technical": N_("Technical"),
}

EFFECTS: dict[str, str] = {
    "read_only": N_("Read-only until it is lifted"),
    "suspended": N_("Closed to everybody until it is lifted"),
}

FLAGS: dict[str, str] = {
    "siret_missing": N_("SIRET to be checked"),
    "siret_known": N_("SIRET of another one"),
    "look_alike": N_("Look-alike address"),
    "disposable_email": N_("Disposable e-mail"),
}

ROLES: dict[str, str] = {
    "sales": N_("sales"),
    "support": N_("support"),
    "operator": N_("operator"),
    "auditor": N_("auditor"),
}

VERBS: dict[str, str] = {
    "organisation.ordered": N_("Organisation ordered"),
    "organisation.provisioning": N_("Preparation began"),
    "organisation.live": N_("Workspace live"),
    "organisation.read_only": N_("Workspace read-only"),
    "organisation.suspended": N_("Workspace suspended"),
    "organisation.closing": N_("Workspace closing"),
    "organisation.erased": N_("Everything erased"),
    "organisation.failed": N_("Preparation failed and was undone"),
    "organisation.hold_placed": N_("Hold placed"),
    "organisation.hold_lifted": N_("Hold lifted"),
    "organisation.renamed": N_("Name changed"),
    "organisation.offer_changed": N_("Offer changed"),
    "organisation.trial_extended": N_("Trial extended"),
    "organisation.trial_ended": N_("Trial ended"),
    "organisation.closing_asked": N_("Closing asked for"),
    "organisation.reopening_asked": N_("Reopening asked for"),
    "organisation.erasure_asked": N_("Erasure asked for"),
    "organisation.mended": N_("Drift found and mended"),
    "organisation.verification_asked": N_("Verification asked for"),
    "storage.comparison_asked": N_("Comparison of workspace and store asked for"),
    "mirror.asked": N_("Copy to the mirror asked for"),
    "mirror.verification_asked": N_("Verification of the mirror asked for"),
    "mirror.restoration_asked": N_("Restoration from the mirror asked for"),
    "mirror.verified": N_("Mirror verified"),
    "mirror.restored": N_("Restored from the mirror"),
    "mirror.run_failed": N_("Verification or restoration failed"),
    "store_key.rotated": N_("Key to the store rotated"),
    "store_key.ended": N_("Old key to the store found unused"),
    "data_key.rotated": N_("Data key rotated"),
    "data_keys.destroyed": N_("Data keys destroyed"),
    "operation.failed": N_("Operation failed"),
    "operation.retried": N_("Operation tried again"),
    "operation.cancelled": N_("Creation cancelled"),
    "operation.rolled_back": N_("Creation rolled back"),
    "cell.added": N_("Cell added"),
    "cell.opened": N_("Cell opened to new organisations"),
    "cell.closed": N_("Cell closed to new organisations"),
    "cell.database_added": N_("Database added to a cell"),
    "cell.spares_set": N_("Stock of spares set"),
    "cell.store_set": N_("Settings of a cell's store changed"),
    "cell.store_key_rotated": N_("Administrator's key of a cell's store replaced"),
    "cell.store_key_removed": N_("Former administrator's key of a cell's store removed"),
    "orphan.removal_asked": N_("Removal of an orphan asked for"),
    "orphan.removed": N_("Orphan removed from a store"),
    "vault.resealed": N_("Secrets sealed by the newest master key"),
    "offer.published": N_("Version of an offer published"),
    "offer.retired": N_("Offer no longer sold"),
    "staff.created": N_("Member of staff created"),
    "staff.disabled": N_("Member of staff disabled"),
    "staff.emergency_given": N_("Emergency account named"),
    "staff.emergency_taken": N_("Emergency account no more"),
    "staff.ended_by_provider": N_("Sessions ended by the company's sign-in"),
    "staff.linked": N_("Linked to the company's sign-in"),
    "staff.reset": N_("Sign-in of a member of staff reset"),
    "staff.role_changed": N_("Role of a member of staff changed"),
    "staff.signed_in": N_("Signed in to the portal"),
    "staff.sign_in_failed": N_("Sign-in to the portal refused"),
    "staff.session_revoked": N_("Session ended from the account page"),
    "staff.password_changed": N_("Password changed"),
    "staff.codes_set_up": N_("One-time codes set up"),
    "staff.codes_removed": N_("One-time codes removed"),
    "staff.passkey_added": N_("Passkey added"),
    "staff.passkey_removed": N_("Passkey removed"),
    "console.entered": N_("Organisation console entered"),
    "member.role_changed": N_("Role of a member changed in the console"),
    "member.sso_admin_given": N_("Set-up of sign-in allowed to an administrator"),
    "member.sso_admin_taken": N_("Set-up of sign-in taken back from an administrator"),
    "member.deactivated": N_("Access of a member taken away in the console"),
    "member.reactivated": N_("Access of a member given back in the console"),
    "scim_removal.approved": N_("Removals by a directory approved"),
    "scim_removal.refused": N_("Removals by a directory refused"),
    "domain.claimed": N_("Domain claimed"),
    "domain.proven": N_("Domain proven"),
    "domain.failing": N_("Proof of a domain gone"),
    "domain.lost": N_("Domain not proven any more"),
    "domain.removed": N_("Domain given up"),
    "domain.capture_set": N_("Capture of sign-ups set"),
    "connection.added": N_("Sign-in connection added"),
    "connection.changed": N_("Sign-in connection changed"),
    "connection.staged": N_("Stage of a sign-in connection changed"),
    "connection.removed": N_("Sign-in connection removed"),
    "connection.test_started": N_("Test of a sign-in connection begun"),
    "connection.metadata_refreshed": N_("Metadata of an identity provider taken over"),
    "connection.key_announced": N_("Next key of a sign-in connection announced"),
    "connection.key_used": N_("Next key of a sign-in connection used"),
    "connection.enforcement_kept": N_("Enforcement of sign-in kept"),
    "connection.reverted": N_("Enforcement of sign-in reverted"),
    "policy.changed": N_("Sign-in policy changed"),
    "scim_token.issued": N_("Directory's token issued"),
    "scim_token.revoked": N_("Directory's token revoked"),
    "support.asked": N_("Support access asked for"),
    "support.accepted": N_("Support access accepted"),
    "support.refused": N_("Support access refused"),
    "support.entered": N_("Support entered the workspace"),
    "support.ended": N_("Support access ended"),
    "set_up_link.made": N_("Set-up link made"),
    "set_up_link.used": N_("Set-up link used"),
    "set_up_link.revoked": N_("Set-up link revoked"),
    "token.handed_over": N_("API token handed over"),
    "token.issued": N_("API token issued"),
    "token.revoked": N_("API token revoked"),
    "token.rotated": N_("API token rotated"),
}

DONE: dict[str, str] = {
    "ordered": N_("Organisation ordered"),
    "asked": N_("Noted. The steps follow below."),
    "trial": N_("Trial extended"),
    "retried": N_("Trying again now"),
    "verifying": N_("Looking for drift now"),
    "comparing": N_("Being compared now"),
    "mirroring": N_("Its mirror is brought up to date now"),
    "verifying-mirror": N_("Its mirror is compared with the store now"),
    "store-changed": N_("It was tried, and is used from now on"),
    "store-key": N_("A new key is used from now on"),
    "published": N_("New version published"),
    "support-asked": N_("Asked. An administrator of the organisation decides."),
    "support-ended": N_("Ended: nothing opens by it any more"),
    "revoked": N_("Token revoked"),
    "disabled": N_("This person can no longer sign in"),
    "token-taken-over": N_("You answer for this token from now on"),
    "emergency": N_("A passkey lets this person in while the company's sign-in is away"),
    "emergency-taken": N_("This person comes in by the company's sign-in only"),
    "added": N_("Added: the company's sign-in lets them in"),
    "reset": N_("Reset: the company's sign-in links them anew"),
    "session": N_("Session ended"),
    "sessions": N_("All other sessions ended"),
    "password": N_("Password changed"),
    "passkey": N_("Passkey added"),
    "passkey-removed": N_("Passkey removed"),
    "codes": N_("One-time codes are on"),
    "codes-removed": N_("One-time codes removed"),
    "language": N_("Language changed"),
}


def state_look(state: str) -> Look:
    """How a state of an organisation looks."""
    return look_of(state, STATES)


def operation_look(state: str) -> Look:
    """How a state of an operation looks."""
    return look_of(state, OPERATION_STATES)


def flag_words(flag: str) -> tuple[str, str]:
    """A flag's words, and what it names (`look_alike:sevres` → `sevres`)."""
    name, _, about = flag.partition(":")
    return FLAGS.get(name, name), about


BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chromium"), ("Safari", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str) -> str:
    """What people call a browser: « Firefox, Linux »."""
    found = [next((name for mark, name in table if mark in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in found if name) or user_agent[:40] or "?"


def clock(moment: datetime | None) -> str:
    """The time of day in Paris, with its seconds."""
    return moment.astimezone(PARIS).strftime("%H:%M:%S") if moment else ""


GLOBALS = {
    "state_look": state_look,
    "operation_look": operation_look,
    "flag_words": flag_words,
    "KINDS": KINDS,
    "STEPS": STEPS,
    "HOLDS": HOLDS,
    "EFFECTS": EFFECTS,
    "VERBS": VERBS,
    "ROLES": ROLES,
    "DONE": DONE,
}
"""What the portal's templates know beside their context."""
