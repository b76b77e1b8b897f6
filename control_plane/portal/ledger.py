"""The ledger of an operation as pages show it, and the stream that says when it has changed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from anyio import to_thread
from litestar import get
from litestar.params import FromPath
from litestar.response import ServerSentEvent, ServerSentEventMessage
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from control_plane import provisioning
from control_plane.identity import Permission
from control_plane.portal.desk import AnyRequest, requires, token_of, who
from control_plane.provisioning import UNFINISHED, Operation, Progress, Step
from kit.db import transaction
from kit.errors import not_found

TICK = 0.4
# A stream ends by itself after a while; the browser comes back, and the process can stop in peace.
TICKS = 750
RETRY = 2000


@dataclass(frozen=True)
class Ledger:
    """One operation, its steps, and what may be done to it."""

    operation: Operation
    steps: list[Step]
    progress: Progress

    @property
    def unfinished(self) -> bool:
        """Whether something is still to come."""
        return self.operation.state in UNFINISHED

    @property
    def waits(self) -> bool:
        """Whether a step failed and will be tried again by itself."""
        return self.unfinished and any(step.state == "retrying" for step in self.steps)

    @property
    def can_undo(self) -> bool:
        """Whether it is a creation that can still be taken back; provisioning has the last word."""
        fresh = self.operation.kind == "create" and self.unfinished and self.operation.error_code is None
        return fresh and bool(self.steps) and self.steps[-1].state in {"waiting", "retrying"}

    @property
    def can_retry(self) -> bool:
        """Whether trying now may help."""
        return self.waits or (self.operation.state == "failed" and self.operation.retryable)


def ledger_of(session: Session, operation: Operation) -> Ledger:
    """An operation with its steps."""
    return Ledger(operation, provisioning.steps(session, operation.id), provisioning.progress(session, operation))


def mark_of(session: Session, operation_id: UUID) -> tuple[str, bool]:
    """What changes when anything that a page shows of the operation does; and whether it is over."""
    operation = provisioning.operation(session, operation_id)
    parts = [operation.state, operation.error_code or ""]
    parts += [f"{step.name}:{step.state}:{step.attempts}" for step in provisioning.steps(session, operation_id)]
    return "|".join(parts), operation.state not in UNFINISHED


@get("/operations/{operation_id:uuid}/events", guards=[requires(Permission.OPERATIONS_READ)])
async def stream(request: AnyRequest, operation_id: FromPath[UUID]) -> ServerSentEvent:
    """`changed` whenever a page about the operation should look again; closed once it is over, or nobody signed in."""
    engine: Engine = request.app.state.engine
    if await to_thread.run_sync(_look, engine, token_of(request), operation_id) is None:
        raise not_found()
    return ServerSentEvent(_changes(engine, token_of(request), operation_id, request), retry_duration=RETRY)


def _look(engine: Engine, token: str | None, operation_id: UUID) -> tuple[str, bool] | None:
    signed = who(engine, token)
    if signed is None or not signed.full:
        return None
    with transaction(engine) as session:
        return mark_of(session, operation_id)


async def _changes(
    engine: Engine, token: str | None, operation_id: UUID, request: AnyRequest
) -> AsyncIterator[ServerSentEventMessage]:
    # The page tells what it shows; what has changed since then is told at once.
    shown: Any = request.query_params.get("shown")
    for _ in range(TICKS):
        found = await to_thread.run_sync(_look, engine, token, operation_id)
        if found is None:
            return
        mark, over = found
        if mark != shown:
            shown = mark
            yield ServerSentEventMessage(event="changed", data=mark)
        if over:
            yield ServerSentEventMessage(event="over", data=mark)
            return
        await asyncio.sleep(TICK)


handlers = [stream]
