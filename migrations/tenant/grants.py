"""What a slot's role may do in its own schema: each table by name, for walking a catalogue is slow.

No TRUNCATE, REFERENCES or TRIGGER, and nothing that creates. The journal only grows.
"""

ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
APPEND = ("SELECT", "INSERT")

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
    "journal": APPEND,
}
