"""The transaction of a request, as a dependency of the faces that show pages."""

from collections.abc import Iterator

from litestar.datastructures import State
from sqlalchemy.orm import Session

from kit.db import transaction


def provide_session(state: State) -> Iterator[Session]:
    """The request's transaction on `state.engine`: committed before the answer is sent, undone by any failure.

    No dependency that comes after it may refuse: Litestar would not close it.
    """
    with transaction(state.engine) as session:
        yield session
