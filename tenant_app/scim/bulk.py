"""Bulk: many operations in one request, each with an answer of its own. What one makes another may name by `bulkId`.

Each operation is a transaction, so that a refused one undoes no other, and nobody waits behind a thousand.
"""

import re
from typing import Any

from kit.errors import Refusal, Refusals, Unavailable
from tenant_app.accounts import AnyRequest
from tenant_app.scim import answers
from tenant_app.scim.pushing import base_of, spend, token_here
from tenant_app.scim.schema import BULK_ANSWER, MOST_OPERATIONS
from tenant_app.scim.shapes import wrong
from tenant_app.scim.verbs import Asked, carry_out

PATH = re.compile(r"/(Users|Groups)(?:/([^/?#]+))?")
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
REFERENCE = "bulkId:"
# No resource of ours has values within values within values.
DEEPEST = 50


class Operation:
    """One operation, and what became of it."""

    def __init__(self, sent: Any) -> None:
        plain = {name.lower(): value for name, value in sent.items()} if isinstance(sent, dict) else {}
        self.method = str(plain.get("method", "")).upper()
        self.bulk_id: str | None = plain.get("bulkid") if isinstance(plain.get("bulkid"), str) else None
        self.path = str(plain.get("path", ""))
        self.data: Any = plain.get("data")
        self.version: str | None = plain.get("version") if isinstance(plain.get("version"), str) else None
        # The `bulkId`s that it names.
        self.references = {*_references(self.data), *_references(self.path.rpartition("/")[2])}
        self.result: dict[str, Any] | None = None

    def answer(self, status: int, **more: Any) -> None:
        """Write down what became of it."""
        self.result = {
            "method": self.method,
            **({"bulkId": self.bulk_id} if self.bulk_id is not None else {}),
            "status": str(status),
            **more,
        }

    @property
    def failed(self) -> bool:
        """Whether it was refused."""
        return self.result is not None and int(self.result["status"]) >= 400


def _references(value: Any, depth: int = 0) -> list[str]:
    if depth > DEEPEST:
        raise wrong("data", f"a value that is nested at most {DEEPEST} deep")
    if isinstance(value, str):
        return [value.removeprefix(REFERENCE)] if value.startswith(REFERENCE) else []
    if isinstance(value, dict):
        value = list(value.values())
    return [name for one in value for name in _references(one, depth + 1)] if isinstance(value, list) else []


def _resolved(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, str) and value.startswith(REFERENCE):
        return known[value.removeprefix(REFERENCE)]
    if isinstance(value, dict):
        return {name: _resolved(one, known) for name, one in value.items()}
    return [_resolved(one, known) for one in value] if isinstance(value, list) else value


def _operations(body: Any) -> tuple[list[Operation], int]:
    plain = {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
    sent, most = plain.get("operations"), plain.get("failonerrors")
    if not isinstance(sent, list) or not sent:
        raise wrong("Operations", "a list of operations")
    if len(sent) > MOST_OPERATIONS:
        raise Refusal(
            "scim_bulk_long",
            "A bulk request carries at most {most} operations.",
            status=413,
            scim="tooMany",
            most=MOST_OPERATIONS,
        )
    return [Operation(one) for one in sent], most if isinstance(most, int) and most > 0 else len(sent) + 1


async def run(request: AnyRequest, body: Any) -> dict[str, Any]:
    """Carry them out in their order; one that names what a later one makes waits for it."""
    operations, most_errors = _operations(body)
    spend_all(request, len(operations))
    known: dict[str, str] = {}
    waiting, errors, before = operations, 0, len(operations) + 1
    while waiting and len(waiting) < before:
        before, later = len(waiting), []
        for one in waiting:
            if errors >= most_errors:
                return _answered(operations)
            if one.references <= known.keys():
                await _do(request, one, known)
                errors += one.failed
            else:
                later.append(one)
        waiting = later
    for one in waiting:
        _fail(one, wrong("bulkId", "the bulkId of another operation of this request, which was carried out"))
    return _answered(operations)


def _answered(operations: list[Operation]) -> dict[str, Any]:
    return {"schemas": [BULK_ANSWER], "Operations": [one.result for one in operations if one.result is not None]}


def spend_all(request: AnyRequest, count: int) -> None:
    """Each operation counts as a request."""
    spend(token_here(request), float(count))


async def _do(request: AnyRequest, one: Operation, known: dict[str, str]) -> None:
    try:
        asked = _asked(one, known)
        status, whole = await carry_out(request, asked)
    except Refusal as refusal:
        _fail(one, refusal)
    except Refusals as refusals:
        _fail(one, refusals.refusals[0])
    except Unavailable:
        _fail(
            one, Refusal("scim_unavailable", "This does not answer just now. Please try again in a moment.", status=503)
        )
    else:
        place = {} if whole is None else {"location": whole["meta"]["location"], "version": whole["meta"]["version"]}
        if asked.of is not None and whole is None:
            place = {"location": f"{base_of(request)}/{asked.kind}s/{asked.of}"}
        one.answer(status, **place)
        if whole is not None and one.bulk_id is not None:
            known[one.bulk_id] = whole["id"]


def _asked(one: Operation, known: dict[str, str]) -> Asked:
    found = PATH.fullmatch(one.path)
    if found is None or one.method not in METHODS or (one.method == "POST") is (found[2] is not None):
        raise Refusal(
            "scim_bulk_operation",
            "A bulk operation is POST to /Users or /Groups, or PUT, PATCH or DELETE of one of them by its id.",
            status=400,
            scim="invalidSyntax",
        )
    of = _resolved(found[2], known) if found[2] else None
    return Asked(one.method, found[1].removesuffix("s"), of, _resolved(one.data, known), one.version)


def _fail(one: Operation, refusal: Refusal) -> None:
    body = answers.error_body(refusal)
    one.answer(int(body["status"]), response=body)
