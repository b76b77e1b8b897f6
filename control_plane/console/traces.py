"""What a sign-in went through, in the reader's words: each check, the first that failed with its cure, the outcome."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.errors import Refusal
from kit.interface import N_
from kit.openid.words import WORDS as OPENID_WORDS
from kit.saml.words import WORDS as SAML_WORDS
from tenant_app.contract import Trace

CHECKS: dict[str, str] = {
    "base64": N_("Message readable"),
    "xml": N_("Message well formed"),
    "root": N_("Message of the right kind"),
    "signature_key": N_("Signed by a known certificate"),
    "signature_missing": N_("Signed"),
    "signature_content": N_("Unchanged since it was signed"),
    "signature": N_("Signed by the provider's key"),
    "decryption": N_("Opened by our key"),
    "status": N_("The provider agreed"),
    "issuer": N_("Comes from the expected provider"),
    "destination": N_("Meant for our address"),
    "in_response_to": N_("Answers our request"),
    "state": N_("Answers our request"),
    "nonce": N_("Made for this sign-in"),
    "audience": N_("Meant for us"),
    "recipient": N_("Sent to our address"),
    "expired": N_("Still valid"),
    "not_yet": N_("Already valid"),
    "issue_instant": N_("Clocks agree"),
    "subject": N_("Names a person"),
    "email": N_("E-mail present"),
    "domain": N_("E-mail in a proven domain"),
    "role": N_("Groups give a role"),
    "seat": N_("A seat is free"),
    "active": N_("Account not closed"),
    "pilot": N_("Belongs to the pilot"),
    "replay": N_("Used for the first time"),
    "discovery_document": N_("Provider described"),
    "id_token": N_("ID token present"),
    "algorithm": N_("Signed by an allowed algorithm"),
}

ACTIONS: dict[str, str] = {
    "created": N_("A new member would be made, or was made"),
    "linked": N_("An existing member was recognised"),
    "signed_in": N_("The member signed in"),
    "refused": N_("Nobody was let in"),
}


@dataclass(frozen=True)
class Line:
    """One check: its title, whether it held, and what came and was expected where it did not."""

    title: str
    ok: bool
    seen: str
    wanted: str


@dataclass(frozen=True)
class Run:
    """One sign-in or test run as it is shown. `failure` says what failed and the cure."""

    at: datetime
    purpose: str
    ok: bool
    lines: list[Line]
    failure: Refusal | None
    claims: dict[str, Any]
    result: dict[str, Any]

    @property
    def action(self) -> str:
        """What came of it."""
        return ACTIONS.get(str(self.result.get("action", "refused")), "")


def run_of(trace: Trace) -> Run:
    """A trace to be shown. Whatever shape its data has, the page stands."""
    data = trace.data
    checks = [one for one in _list(data.get("checks")) if isinstance(one, dict)]
    failed = next((one for one in checks if not one.get("ok")), None)
    code = str(data.get("refusal") or "")
    ok = not code and failed is None
    return Run(
        at=trace.at,
        purpose=trace.purpose,
        ok=ok,
        lines=[_line(one) for one in checks],
        failure=None if ok else _told(code, _dict(data.get("words"))) or _failure(code, failed or {}),
        claims=_dict(data.get("claims")),
        result=_dict(data.get("result")),
    )


def _line(check: dict[str, Any]) -> Line:
    name = str(check.get("name", ""))
    title = CHECKS.get(name, name.replace("_", " "))
    return Line(title, bool(check.get("ok")), str(check.get("seen", "")), str(check.get("wanted", "")))


def _told(code: str, words: dict[str, Any]) -> Refusal | None:
    """The very sentence that the person read, where the trace has kept it."""
    message, params = words.get("message"), _dict(words.get("params"))
    if not code or not isinstance(message, str):
        return None
    refusal = Refusal(code, message)
    refusal.params.update({str(name): str(value) for name, value in params.items()})
    try:
        str(refusal)
    except (LookupError, ValueError):
        return None
    return refusal


def _failure(code: str, check: dict[str, Any]) -> Refusal:
    """The sentence of the check that failed: the protocols keep theirs by name."""
    kind, _, name = code.partition("_")
    words = {"saml": SAML_WORDS, "oidc": OPENID_WORDS}.get(kind, {})
    seen, wanted = str(check.get("seen", "")), str(check.get("wanted", ""))
    message = words.get(name) or words.get(str(check.get("name", "")))
    if message:
        return Refusal(code, message, seen=seen, wanted=wanted)
    if code in OWN:
        return Refusal(code, OWN[code], seen=seen, wanted=wanted)
    return Refusal(code or "refused", N_("The sign-in was refused ({what})."), what=code or "?")


OWN: dict[str, str] = {}


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
