"""What a sign-in went through, in the reader's words: each check, the first that failed with its cure, the outcome."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from control_plane import identity
from kit.errors import Refusal
from kit.interface import N_
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
    "email_changed": N_("E-mail taken over from the provider"),
    "email_kept": N_("The provider's new e-mail was left"),
    "name_changed": N_("Name taken over from the provider"),
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

SIGN_IN_VERBS: dict[str, str] = {
    "sign_in.ok": N_("Signed in"),
    "sign_in.refused": N_("Sign-in refused"),
    "test.ok": N_("Test passed"),
    "test.refused": N_("Test refused"),
}


@dataclass(frozen=True)
class Line:
    """One check: its title, whether it held, and what came and was expected where it did not."""

    title: str
    ok: bool
    seen: str
    wanted: str
    changed: bool = False
    told: bool = False

    @property
    def shown(self) -> bool:
        """Whether the reader wants to know what came: where it failed, or where it changed something."""
        return self.told or not self.ok


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
    failure = identity.failure_of(trace)
    return Run(
        number=trace.id,
        at=trace.at,
        purpose=trace.purpose,
        ok=failure is None,
        lines=[_line(one) for one in checks],
        failure=failure,
        claims=_dict(data.get("claims")),
        result=_dict(data.get("result")),
    )


def _line(check: dict[str, Any]) -> Line:
    name = str(check.get("name", ""))
    title = CHECKS.get(name, name.replace("_", " "))
    changed = name in {"name_changed", "email_changed"}
    said = str(check.get("seen", "")), str(check.get("wanted", ""))
    return Line(title, bool(check.get("ok")), *said, changed, changed or name == "email_kept")


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
