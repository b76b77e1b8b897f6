"""One request is one transaction: committed when the answer is about to leave, undone by any failure before that."""

from contextlib import ExitStack, suppress

from anyio import CancelScope, to_thread
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from kit.db import transaction

WORK = "work"


class Work:
    """The transaction of a request, begun when it is first needed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stack = ExitStack()
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """Where everything of this request happens."""
        if self._session is None:
            self._session = self._stack.enter_context(transaction(self._engine))
        return self._session

    @property
    def is_open(self) -> bool:
        """Begun, and neither kept nor undone."""
        return self._session is not None

    def commit(self) -> None:
        """Keep it. A failure to commit is the request's failure."""
        self._session = None
        self._stack.close()

    def undo(self) -> None:
        """Keep nothing."""
        self._session = None
        with suppress(_Undone):
            self._stack.__exit__(_Undone, _Undone(), None)


class _Undone(Exception):  # noqa: N818 - it is no error, it is how a transaction is left
    """Leaves a transaction without keeping it."""


class OneTransaction(ASGIMiddleware):
    """Gives each request its Work. Litestar's own generators are not closed when another dependency refuses.

    Refusals have become answers by the time they come past here: whatever says 400 or more keeps nothing.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """ASGI's entry."""
        work = Work(scope["litestar_app"].state.engine)
        scope["state"][WORK] = work

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start" and work.is_open:
                await to_thread.run_sync(work.commit if message["status"] < 400 else work.undo)
            await send(message)

        try:
            await next_app(scope, receive, finish)
        finally:
            # Closed by now, unless the client left or the process is stopping.
            if work.is_open:
                with CancelScope(shield=True):
                    await to_thread.run_sync(work.undo)
