"""Times of SAML: UTC, and a minute of doubt between clocks."""

import datetime as dt
import re

from kit.saml.checks import Checks

SKEW = dt.timedelta(seconds=60)
FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,12})?(Z|[+-]\d\d:\d\d)", re.ASCII)
EXAMPLE = "2026-01-31T12:00:00Z"


def written(moment: dt.datetime) -> str:
    """A moment as SAML writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str | None, checks: Checks) -> dt.datetime:
    """The moment that `text` names; refused where it names none."""
    found = FORM.fullmatch((text or "").strip())
    if found is None:
        checks.refuse("time", text or "", EXAMPLE)
    try:
        return dt.datetime.fromisoformat(found.group(1) + found.group(3).replace("Z", "+00:00")).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        checks.refuse("time", text, EXAMPLE)


def need_fresh(issued: dt.datetime, now: dt.datetime, oldest: dt.timedelta, checks: Checks) -> None:
    """Issued lately, and not in the future."""
    ok = now - oldest - SKEW <= issued <= now + SKEW
    checks.need("issue_instant", ok, written(issued), written(now))
