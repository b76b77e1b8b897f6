"""What a slot's role may do in its own schema: each table by name, for walking a catalogue is slow.

No TRUNCATE, REFERENCES or TRIGGER, and nothing that creates. The journal only grows.

An upgrade grants the tables that it makes. Where a right on an older table changes, the slots that exist get it when
drift is mended (`CellDatabase.repair`), so the release before must not need it yet.
"""

ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
APPEND = ("SELECT", "INSERT")
# Never changed, and forgotten after a stated number of days.
KEPT = ("SELECT", "INSERT", "DELETE")

GRANTS: dict[str, tuple[str, ...]] = {
    "principal": ROWS,
    "credential": ROWS,
    "session": ROWS,
    "invitation": ROWS,
    "attempt": ROWS,
    "space": ROWS,
    "access": ROWS,
    "node": ROWS,
    "version": ROWS,
    "upload": ROWS,
    "discard": ROWS,
    "tally": ROWS,
    "setting": ROWS,
    "identity_link": ROWS,
    "sso_flow": ROWS,
    "sso_replay": ROWS,
    "sso_trace": ROWS,
    "scim_user": ROWS,
    "scim_group": ROWS,
    "scim_group_member": ROWS,
    "scim_removal": ROWS,
    "scim_event": KEPT,
    "journal": APPEND,
}
