"""Why a sign-in let nobody in, in words: the check that failed, what was received, and the cure."""

from string import Formatter
from typing import Any

from kit.errors import Refusal
from kit.interface import N_
from kit.openid.words import WORDS as OPENID_WORDS
from kit.saml.words import WORDS as SAML_WORDS
from tenant_app.contract import Trace


def failure_of(trace: Trace) -> Refusal | None:
    """What this trace tells of failure; None where somebody came in. Whatever shape its data has, it is read."""
    checks = trace.data.get("checks")
    failed = next((one for one in checks if _fails(one)), None) if isinstance(checks, list) else None
    code = str(trace.data.get("refusal") or "")
    if not code and failed is None:
        return None
    return _told(code, _known(trace.data.get("words"))) or _failure(code, failed or {})


def _fails(check: Any) -> bool:
    return isinstance(check, dict) and not check.get("ok")


def _told(code: str, words: dict[str, Any]) -> Refusal | None:
    """The very sentence that the person read, where the trace has kept it and its places can be filled."""
    message, params = words.get("message"), _known(words.get("params"))
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


def _known(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
