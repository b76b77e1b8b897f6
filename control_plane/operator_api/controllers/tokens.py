"""Tokens: the keys of scripts."""

from uuid import UUID

from litestar import Controller, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.audit import Actor
from control_plane.identity import ApiToken, Scope
from control_plane.operator_api.bodies import NewToken, TokenOwner
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.presenting import token_view
from control_plane.operator_api.reading import ApiRequest
from control_plane.operator_api.schemas import NewTokenView, TokenList, TokenView
from kit.errors import Refusal


class TokenController(Controller):
    """A token's secret is shown once, when it is made; only its hash is kept."""

    path = "/tokens"
    tags = ["Tokens"]

    @get("/", guards=[requires(Scope.TOKENS_READ)], sync_to_thread=True)
    def list_tokens(self, session: NamedDependency[Session]) -> TokenList:
        """List tokens, with when and from where each was last used."""
        owners = identity.owners(session)
        return TokenList(items=[token_view(one, owners) for one in identity.tokens(session)])

    @post("/", guards=[requires(Scope.TOKENS_WRITE)], sync_to_thread=True)
    def create_token(
        self,
        request: ApiRequest,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        data: JSONBody[NewToken],
    ) -> Response[NewTokenView]:
        """Make a token. It cannot have a scope that the asking token lacks."""
        return once.answer(lambda: _made(session, _issued(session, data, actor, request.auth)))

    @post("/{token_id:uuid}/rotation", guards=[requires(Scope.TOKENS_WRITE)], sync_to_thread=True)
    def rotate_token(
        self,
        request: ApiRequest,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        token_id: FromPath[UUID],
    ) -> Response[NewTokenView]:
        """Make a token's successor with the same rights; the old one goes on working for a while."""
        _within(request.auth, identity.token(session, token_id).scopes)
        return once.answer(lambda: _made(session, identity.rotate_token(session, token_id, actor)))

    @put("/{token_id:uuid}/owner", guards=[requires(Scope.TOKENS_WRITE)], sync_to_thread=True)
    def hand_over_token(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        token_id: FromPath[UUID],
        data: JSONBody[TokenOwner],
    ) -> TokenView:
        """Let another operator answer for a token: it stops with whoever does. Its secret and its rights stay."""
        found = identity.hand_over(session, token_id, data.staff, actor=actor)
        return token_view(found, identity.owners(session))

    @delete("/{token_id:uuid}", guards=[requires(Scope.TOKENS_WRITE)], sync_to_thread=True)
    def revoke_token(
        self, session: NamedDependency[Session], actor: NamedDependency[Actor], token_id: FromPath[UUID]
    ) -> None:
        """Stop a token at once."""
        identity.revoke_token(session, token_id, actor)


def _issued(session: Session, data: NewToken, actor: Actor, asking: ApiToken) -> tuple[ApiToken, str]:
    return identity.issue_token(session, data.name, data.scopes, data.expires_at, data.networks, actor, asking=asking)


def _within(asking: ApiToken, scopes: list[str]) -> None:
    """No token makes another that may more than itself."""
    beyond = sorted(set(scopes) - set(asking.scopes))
    if beyond:
        message = "A token cannot give the scope {scope}, which it lacks itself."
        raise Refusal("scope_beyond", message, field="scopes", status=403, scope=beyond[0])


def _made(session: Session, made: tuple[ApiToken, str]) -> Response[NewTokenView]:
    row, secret = made
    return Response(NewTokenView(token=token_view(row, identity.owners(session)), secret=secret), status_code=201)
