"""What a sign-in went through, in the reader's words: each check, the first that failed with its cure, the outcome."""

from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from typing import Any
from uuid import UUID

from kit.errors import Refusal
from kit.interface import N_
from kit.openid.words import WORDS as OPENID_WORDS
from kit.saml.words import WORDS as SAML_WORDS
from tenant_app.contract import Trace

CHECKS: dict[str, str] = {
    "missing": N_("A message came"),
    "query": N_("A message came"),
    "too_large": N_("Size within bounds"),
    "base64": N_("Message readable"),
    "encoding": N_("Message readable"),
    "doctype": N_("No document type or entities"),
    "xml": N_("Message well formed"),
    "root": N_("Message of the right kind"),
    "kind": N_("Message of the right kind"),
    "version": N_("Known version"),
    "ids": N_("Identifiers unique"),
    "assertions": N_("Exactly one assertion"),
    "signature_missing": N_("Signed"),
    "signature_required": N_("Signed"),
    "signature_shape": N_("Signature of the usual form"),
    "signature_transform": N_("Signature of the usual form"),
    "signature_reference": N_("Signature covers what is read"),
    "signature_algorithm": N_("Signed by an allowed algorithm"),
    "algorithm": N_("Signed by an allowed algorithm"),
    "signature_key": N_("Signed by a known certificate"),
    "signature_content": N_("Unchanged since it was signed"),
    "signature": N_("Signed by the provider's key"),
    "encryption_unsigned": N_("Encrypted inside a signed answer"),
    "decryption": N_("Opened by our key"),
    "status": N_("The provider agreed"),
    "issuer": N_("Comes from the expected provider"),
    "response_issuer": N_("Comes from the expected provider"),
    "destination": N_("Meant for our address"),
    "in_response_to": N_("Answers our request"),
    "unsolicited": N_("Answers our request"),
    "browser": N_("Came back in the same browser"),
    "state": N_("Answers our request"),
    "nonce": N_("Made for this sign-in"),
    "audience": N_("Meant for us"),
    "authorized_party": N_("Meant for us"),
    "recipient": N_("Sent to our address"),
    "conditions": N_("Conditions understood"),
    "expired": N_("Still valid"),
    "not_yet": N_("Already valid"),
    "issue_instant": N_("Clocks agree"),
    "issued_in_future": N_("Clocks agree"),
    "session_ended": N_("Session at the provider still open"),
    "authentication": N_("Says how the person signed in"),
    "confirmation": N_("Confirmed by bearer"),
    "attributes": N_("Attributes named"),
    "subject": N_("Names a person"),
    "transient": N_("A lasting name"),
    "email": N_("E-mail present"),
    "domain": N_("E-mail in a proven domain"),
    "role": N_("Groups give a role"),
    "seat": N_("A seat is free"),
    "active": N_("Account not closed"),
    "member": N_("Is a member"),
    "pilot": N_("Belongs to the pilot"),
    "replay": N_("Used for the first time"),
    "reachable": N_("The provider answers"),
    "discovery_document": N_("Provider described"),
    "code": N_("A code came"),
    "token_answer": N_("A token came"),
    "id_token": N_("ID token present"),
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

    number: UUID
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
        number=trace.id,
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
    """The very sentence that the person read, where the trace has kept it and its places can be filled."""
    message, params = words.get("message"), _dict(words.get("params"))
    if not code or not isinstance(message, str) or not _places(message) <= set(params):
        return None
    refusal = Refusal(code, message)
    refusal.params.update({str(name): str(value) for name, value in params.items()})
    return refusal


def _places(message: str) -> set[str]:
    """The places of a sentence. One that reaches into a value (`{a.b}`) has no plain name, so nothing fills it."""
    try:
        return {name for _, name, _, _ in Formatter().parse(message) if name is not None}
    except ValueError:
        return {"?"}


def _failure(code: str, check: dict[str, Any]) -> Refusal:
    """The sentence of the check that failed: the protocols keep theirs by name."""
    kind, _, name = code.partition("_")
    words = {"saml": SAML_WORDS, "oidc": OPENID_WORDS}.get(kind, {})
    message = words.get(name) or words.get(str(check.get("name", "")))
    if message:
        return Refusal(code, message, seen=str(check.get("seen", "")), wanted=str(check.get("wanted", "")))
    return Refusal(code or "refused", N_("The sign-in was refused ({what})."), what=code or "?")


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
