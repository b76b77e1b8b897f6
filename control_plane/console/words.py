"""How the console names and paints what other rooms store: states, roles, stages, events."""

from kit.interface import N_, Look, look_of

STATES: dict[str, Look] = {
    "ordered": Look(N_("Ordered"), "info", "clock"),
    "provisioning": Look(N_("Being prepared"), "info", "clock"),
    "live": Look(N_("In service"), "ok", "circle-check"),
    "read_only": Look(N_("Read-only"), "warn", "eye"),
    "suspended": Look(N_("Suspended"), "bad", "pause"),
    "closing": Look(N_("Closing"), "plain", "clock"),
}

ROLES: dict[str, str] = {
    "guest": N_("Guest"),
    "member": N_("Member"),
    "administrator": N_("Administrator"),
    "owner": N_("Owner"),
}

DOMAIN_STATES: dict[str, Look] = {
    "pending": Look(N_("Waiting for its record"), "info", "clock"),
    "proven": Look(N_("Proven"), "ok", "circle-check"),
    "failing": Look(N_("Record not found any more"), "warn", "triangle-alert"),
    "lost": Look(N_("No longer proven"), "bad", "circle-x"),
}

TROUBLES: dict[str, str] = {
    "no_name": N_("There is no such name in the DNS yet."),
    "no_record": N_("The name has no TXT record yet."),
    "timeout": N_("It did not answer in time."),
    "refused": N_("It refused to answer."),
    "failed": N_("It could not be asked."),
}

KINDS: dict[str, str] = {"saml": "SAML 2.0", "oidc": "OpenID Connect"}

STAGE_LOOKS: dict[str, Look] = {
    "draft": Look(N_("Draft"), "plain", "edit"),
    "tested": Look(N_("Tested"), "info", "check"),
    "pilot": Look(N_("Pilot"), "warn", "users"),
    "enforced": Look(N_("Enforced"), "ok", "shield"),
}

PURPOSES: dict[str, str] = {
    "domains": N_("Prove domains"),
    "sign_in": N_("Set up single sign-on, and prove domains"),
    "scim": N_("Set up provisioning (SCIM)"),
}

REMOVALS: dict[str, str] = {
    "deactivate": N_("Deactivated in the directory"),
    "delete": N_("Deleted from the directory"),
    "group": N_("In no group any more that gives a role"),
    "mapping": N_("In no group that gives a role by your changed mapping"),
}

SCIM_VERBS: dict[str, str] = {
    "user.created": N_("Person pushed"),
    "user.adopted": N_("Existing member taken over"),
    "user.changed": N_("Person changed"),
    "user.role": N_("Role given by groups"),
    "user.enabled": N_("Let in"),
    "user.disabled": N_("Access taken away"),
    "user.deleted": N_("Person deleted"),
    "user.removal_waits": N_("Removal waits for you"),
    "user.removal_approved": N_("Removal approved here"),
    "user.removal_refused": N_("Removal refused here"),
    "group.created": N_("Group pushed"),
    "group.changed": N_("Group changed"),
    "group.deleted": N_("Group deleted"),
    "mapping.refused": N_("Changed mapping not applied"),
}

ACTORS: dict[str, str] = {
    "member": N_("member of the organisation"),
    "link": N_("set-up link"),
    "staff": N_("the provider's staff"),
    "token": N_("script"),
    "visitor": N_("visitor"),
    "command": N_("the provider's command line"),
    "system": N_("by itself"),
}

VERBS: dict[str, str] = {
    "organisation.ordered": N_("Organisation ordered"),
    "organisation.provisioning": N_("Preparation began"),
    "organisation.live": N_("Workspace open"),
    "organisation.read_only": N_("Workspace read-only"),
    "organisation.suspended": N_("Workspace suspended"),
    "organisation.closing": N_("Workspace closing"),
    "organisation.hold_placed": N_("Hold placed"),
    "organisation.hold_lifted": N_("Hold lifted"),
    "organisation.renamed": N_("Name changed"),
    "organisation.offer_changed": N_("Offer changed"),
    "organisation.trial_extended": N_("Trial extended"),
    "organisation.trial_ended": N_("Trial ended"),
    "organisation.closing_asked": N_("Closing asked for"),
    "organisation.reopening_asked": N_("Reopening asked for"),
    "organisation.mended": N_("Difference found and mended"),
    "store_key.rotated": N_("Key to the store rotated"),
    "data_key.rotated": N_("Data key rotated"),
    "console.entered": N_("Console entered"),
    "domain.claimed": N_("Domain claimed"),
    "domain.proven": N_("Domain proven"),
    "domain.failing": N_("Record of a domain not found"),
    "domain.lost": N_("Domain no longer proven"),
    "domain.capture_set": N_("Capture of sign-ups changed"),
    "domain.removed": N_("Domain removed"),
    "connection.added": N_("Connection added"),
    "connection.changed": N_("Connection changed"),
    "connection.staged": N_("Stage of a connection changed"),
    "connection.removed": N_("Connection removed"),
    "connection.test_started": N_("Test of a connection begun"),
    "connection.metadata_refreshed": N_("Metadata of a connection read again"),
    "connection.key_announced": N_("Our next key announced"),
    "connection.key_used": N_("Our next key in use"),
    "connection.enforcement_kept": N_("Enforcement confirmed by an administrator's sign-in"),
    "connection.reverted": N_("Connection back to pilot by itself"),
    "policy.changed": N_("Rules of sign-in changed"),
    "scim_token.issued": N_("SCIM token made"),
    "scim_token.revoked": N_("SCIM token revoked"),
    "scim_removal.approved": N_("Removals by the directory approved"),
    "scim_removal.refused": N_("Removals by the directory refused"),
    "support.asked": N_("Support access asked for"),
    "support.accepted": N_("Support access accepted"),
    "support.refused": N_("Support access refused"),
    "support.entered": N_("Support entered the workspace"),
    "support.ended": N_("Support access ended"),
    "set_up_link.made": N_("Set-up link made"),
    "set_up_link.used": N_("Set-up link used"),
    "set_up_link.revoked": N_("Set-up link taken back"),
    "member.role_changed": N_("Role changed"),
    "member.sso_admin_given": N_("Set-up of sign-in allowed"),
    "member.sso_admin_taken": N_("Set-up of sign-in taken back"),
    "member.deactivated": N_("Access taken away"),
    "member.reactivated": N_("Access given back"),
}

DONE: dict[str, str] = {
    "role": N_("Role changed"),
    "sso-admin-given": N_("This administrator sets up sign-in from now on"),
    "sso-admin-taken": N_("This administrator no longer sets up sign-in"),
    "deactivated": N_("Access taken away: sessions are ended"),
    "reactivated": N_("Access given back"),
    "saved": N_("Saved"),
    "support-accepted": N_("Accepted. They may come in now; end it whenever you like."),
    "support-ended": N_("Ended: nothing opens by it any more"),
    "removed": N_("Domain removed"),
    "domain": N_("Domain added: now write its record"),
    "proven": N_("The record was found: the domain is proven"),
    "unproven": N_("Asked again: the answers stand beside the domain"),
    "connection": N_("Draft made: copy our values into your directory"),
    "connection-removed": N_("Connection removed"),
    "refreshed": N_("Metadata read again"),
    "stage-draft": N_("Back to draft: nobody signs in by it"),
    "stage-tested": N_("Tested: the pilot may begin"),
    "stage-pilot": N_("Pilot: the chosen people sign in by it"),
    "stage-enforced": N_("Enforced: everybody signs in by it"),
    "key-announced": N_("The next key stands in our metadata"),
    "key-used": N_("The next key is used from now on"),
    "removals-approved": N_("Access taken away: sessions are ended"),
    "removals-refused": N_("They stay"),
    "token": N_("Token made"),
    "token-revoked": N_("Token revoked"),
    "link": N_("Set-up link made"),
    "link-revoked": N_("Set-up link taken back"),
}


def state_look(state: str) -> Look:
    """How a state of the organisation looks."""
    return look_of(state, STATES)


GLOBALS = {
    "organisation_look": state_look,
    "CONSOLE_DONE": DONE,
    "CONSOLE_ROLES": ROLES,
    "CONSOLE_VERBS": VERBS,
    "CONSOLE_ACTORS": ACTORS,
}
"""What the console's templates know beside their context."""
