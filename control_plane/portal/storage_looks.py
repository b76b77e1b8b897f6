"""How storage looks to staff: agreement, findings, keys, mirrors, each with the rule behind its colour."""

from datetime import UTC, datetime, timedelta
from typing import Any

from control_plane.organisations import StorageView
from control_plane.portal.health import Concern
from control_plane.storage import MirrorSummary, MirrorView
from kit.interface import N_, Look, look_of

HOUR, DAY = 3600, 86_400
LAG_RULE = N_("Green up to an hour behind, amber up to a day, red beyond that.")

AGREEMENT: dict[str, Look] = {
    "agree": Look(N_("Both sides agree"), "ok", "circle-check"),
    "differ": Look(N_("Both sides differ"), "bad", "circle-x"),
    "unknown": Look(N_("Not known just now"), "plain", "info"),
}

# Tone, what is wrong, and its cure.
FINDINGS: dict[str, tuple[str, str, str]] = {
    "files_missing": (
        "bad",
        N_("Content is missing"),
        N_("Files are listed whose content the store lacks. Restore them from the mirror."),
    ),
    "bucket_missing": (
        "bad",
        N_("The store has no bucket of this organisation"),
        N_("Look for drift now: it is made anew."),
    ),
    "limit_differs": (
        "warn",
        N_("The store's limit is not what was sold"),
        N_("Look for drift now: it is set again."),
    ),
    "figures_differ": (
        "warn",
        N_("Workspace and store count differently"),
        N_("Uploads under way and files being removed explain it for a while. Compare again later."),
    ),
}

MODES: dict[str, Look] = {
    "open": Look(N_("reads and writes"), "ok", "circle-check"),
    "read_only": Look(N_("may only read"), "warn", "eye"),
    "suspended": Look(N_("closed"), "bad", "pause"),
}

KEY_STATES: dict[str, Look] = {
    "current": Look(N_("In use"), "ok", "key"),
    "retiring": Look(N_("Being replaced"), "info", "clock"),
    "gone": Look(N_("Out of use"), "plain", "ban"),
    "older": Look(N_("Reads older files"), "info", "history"),
    "destroyed": Look(N_("Destroyed"), "plain", "trash"),
}

STORE_KINDS: dict[str, str] = {"ceph": N_("a Ceph"), "files": N_("files, behind Parvis's own gateway")}

# What is looked at in a store, as its checks are called: so that their French is known.
CHECKS = (
    N_("the way to the gateway is encrypted"),
    N_("the gateway answers"),
    N_("the administrator's key has its rights"),
    N_("the keys of accounts can be compared"),
    N_("the zone is known"),
    N_("the kind of gateway"),
    N_("the key of the mirror works"),
    N_("the folder can be used"),
    N_("the disk has room"),
    N_("the settings can be used"),
)

RUN_KINDS: dict[str, str] = {"verify": N_("Verification"), "restore": N_("Restoration")}

MIRROR_STATES: dict[str, Look] = {
    "new": Look(N_("First copy to come"), "info", "clock"),
    "copying": Look(N_("First copy under way"), "info", spin=True),
    "waiting": Look(N_("Nothing to copy yet"), "plain", "clock"),
    "suspended": Look(N_("Suspended with the store"), "plain", "pause"),
    "needs_keys": Look(N_("Not copied: it lacks the organisation's key"), "warn", "key"),
    "failing": Look(N_("Copying fails"), "bad", "circle-x"),
}
UP_TO_DATE = Look(N_("Up to date"), "ok", "circle-check")
BEHIND = Look(N_("Behind"), "warn", "clock")
FAR_BEHIND = Look(N_("Far behind"), "bad", "triangle-alert")
NOT_THE_SAME = Look(N_("Not the same"), "bad", "circle-x")

MIRROR_CONCERNS: dict[Look, str] = {
    NOT_THE_SAME: N_("The mirror is not the same as the store"),
    MIRROR_STATES["failing"]: N_("Copying to the mirror fails"),
    MIRROR_STATES["needs_keys"]: N_("The mirror lacks the organisation's key"),
    BEHIND: N_("The mirror is behind"),
    FAR_BEHIND: N_("The mirror is far behind"),
}


def lag_look(seconds: float) -> Look:
    """By `LAG_RULE`."""
    return UP_TO_DATE if seconds <= HOUR else BEHIND if seconds <= DAY else FAR_BEHIND


def mirror_look(mirror: MirrorView) -> Look:
    """Trouble first, then how far behind it is; states speak where there is no lag to tell."""
    if mirror.differing or mirror.mismatches:
        return NOT_THE_SAME
    if mirror.state in {"failing", "needs_keys", "suspended", "waiting"} or mirror.lag_seconds is None:
        return look_of(mirror.state, MIRROR_STATES)
    return lag_look(mirror.lag_seconds)


def summary_look(summary: MirrorSummary) -> Look:
    """A cell's mirrors are as well as the worst of them."""
    if summary.differing or summary.mismatches:
        return NOT_THE_SAME
    if summary.states.get("failing"):
        return MIRROR_STATES["failing"]
    if summary.worst_lag_seconds is None:
        return MIRROR_STATES["new"] if summary.organisations else MIRROR_STATES["waiting"]
    return lag_look(summary.worst_lag_seconds)


def whole_as_of(summary: MirrorSummary) -> datetime | None:
    """When the last pass began after which the mirror that is furthest behind had everything."""
    lag = summary.worst_lag_seconds
    return None if lag is None else datetime.now(UTC) - timedelta(seconds=lag)


def concerns_of(seen: StorageView) -> list[Concern]:
    """What of an organisation's storage needs somebody's attention."""
    found = [Concern(FINDINGS[one][0], FINDINGS[one][1]) for one in seen.findings]
    look = mirror_look(seen.mirror) if seen.mirror else None
    if look and look in MIRROR_CONCERNS:
        found.append(Concern(look.tone, MIRROR_CONCERNS[look]))
    return found


GLOBALS: dict[str, Any] = {
    "AGREEMENT": AGREEMENT,
    "FINDINGS": FINDINGS,
    "MODES": MODES,
    "KEY_STATES": KEY_STATES,
    "RUN_KINDS": RUN_KINDS,
    "STORE_KINDS": STORE_KINDS,
    "LAG_RULE": LAG_RULE,
    "mirror_look": mirror_look,
    "summary_look": summary_look,
    "whole_as_of": whole_as_of,
}
"""What the portal's templates know of storage beside their context."""
