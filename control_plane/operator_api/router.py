"""Everything under /api/v1, to be hung into the portal's application, which brings `state.engine` and `.settings`."""

from typing import Any

from litestar import MediaType, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.operator_api import problems
from control_plane.operator_api.changing import provide_change
from control_plane.operator_api.controllers.audit import AuditController
from control_plane.operator_api.controllers.cells import CellController
from control_plane.operator_api.controllers.connections import ConnectionController
from control_plane.operator_api.controllers.domains import DomainController
from control_plane.operator_api.controllers.history import HistoryController
from control_plane.operator_api.controllers.mirrors import MirrorController
from control_plane.operator_api.controllers.offers import OfferController
from control_plane.operator_api.controllers.operations import OperationController
from control_plane.operator_api.controllers.organisations import OrganisationController
from control_plane.operator_api.controllers.sign_in import (
    PolicyController,
    ScimTokenController,
    SetUpLinkController,
)
from control_plane.operator_api.controllers.states import StateController
from control_plane.operator_api.controllers.storage import OrganisationStorageController, StoreController
from control_plane.operator_api.controllers.support import SupportController
from control_plane.operator_api.controllers.tokens import TokenController
from control_plane.operator_api.dependencies import (
    provide_actor,
    provide_once,
    provide_organisation,
    provide_revision,
    provide_session,
)
from control_plane.operator_api.guards import TokenWanted
from control_plane.operator_api.limits import Allowance, Buckets
from control_plane.operator_api.parameters import check_request
from control_plane.operator_api.reading import ApiRequest
from control_plane.operator_api.transacting import OneTransaction
from kit.settings import ControlPlaneSettings

PATH = "/api/v1"
LARGEST_BODY = 64 * 1024
CONTROLLERS: list[Any] = [
    OrganisationController,
    StateController,
    OfferController,
    CellController,
    StoreController,
    OrganisationStorageController,
    MirrorController,
    DomainController,
    ConnectionController,
    PolicyController,
    ScimTokenController,
    SetUpLinkController,
    SupportController,
    OperationController,
    TokenController,
    AuditController,
    HistoryController,
]


async def provide_settings(state: State) -> ControlPlaneSettings:
    """The process's settings."""
    settings: ControlPlaneSettings = state.settings
    return settings


PROVIDERS: dict[str, Any] = {
    "settings": provide_settings,
    "session": provide_session,
    "actor": provide_actor,
    "once": provide_once,
    "organisation": provide_organisation,
    "revision": provide_revision,
    "change": provide_change,
}


@get("/openapi.json", media_type=MediaType.JSON, sync_to_thread=True, opt={"public": True})
def openapi_document() -> bytes:
    """The contract, as OpenAPI 3.1. Open to all: it tells no secret."""
    from control_plane.operator_api.openapi import encoded

    return encoded()


class ShowAllowance(ASGIMiddleware):
    """What is left of the token's requests, on every answer."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """ASGI's entry."""

        async def finish(message: Message) -> None:
            allowance = scope["state"].get("allowance")
            if message["type"] == "http.response.start" and isinstance(allowance, Allowance):
                told = [(name.lower().encode(), value.encode()) for name, value in allowance.headers().items()]
                message["headers"] = [*message["headers"], *told]
            await send(message)

        await next_app(scope, receive, finish)


def router(buckets: Buckets | None = None) -> Router:
    """The operator API. `buckets` limits each token's requests."""
    return Router(
        PATH,
        route_handlers=[*CONTROLLERS, openapi_document],
        guards=[TokenWanted(buckets or Buckets())],
        before_request=check_request,
        middleware=[ShowAllowance(), OneTransaction()],
        dependencies={name: Provide(make) for name, make in PROVIDERS.items()},
        exception_handlers=problems.exception_handlers,
        request_class=ApiRequest,
        request_max_body_size=LARGEST_BODY,
        include_in_schema=False,
    )
