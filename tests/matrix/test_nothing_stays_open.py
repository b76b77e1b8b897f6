"""Nothing of a workspace stays open past its request: it would outlive the end of a session, or of a consent."""

from litestar import Litestar, websocket
from litestar.connection import WebSocket
from litestar.routes import ASGIRoute, HTTPRoute

from tests.matrix.faces import Faces, routes


def lasting(app: Litestar) -> list[str]:
    """Routes that are neither one request's nor a folder of files."""
    return [route.path for route in app.routes if not isinstance(route, HTTPRoute | ASGIRoute)]


def test_a_workspace_has_requests_and_files_and_nothing_that_lasts(faces: Faces) -> None:
    assert lasting(faces.workspace) == []
    mounted = {name for name, handler in routes(faces.workspace).items() if handler is None}
    assert mounted == {"MOUNT /static"}


def test_a_socket_would_be_found() -> None:
    """The broken control: whoever builds one asks the consent anew by itself, and then says so here."""

    @websocket("/live")
    async def live(socket: WebSocket) -> None:  # type: ignore[type-arg]
        await socket.accept()

    assert lasting(Litestar([live], openapi_config=None)) == ["/live"]
