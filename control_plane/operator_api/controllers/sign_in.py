"""Beside its connections: an organisation's policy, its directory's tokens, links to set things up."""

from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.dependencies import IfMatch, etag, seen
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.identity_bodies import NewScimToken, NewSetUpLink, PolicyChange
from control_plane.operator_api.identity_schemas import (
    NewScimTokenView,
    NewSetUpLinkView,
    PolicyView,
    ScimTokenList,
    SetUpLinkList,
)
from control_plane.operator_api.presenting_identity import policy_view, scim_token_view, set_up_link_view
from control_plane.organisations import Organisation
from kit.settings import ControlPlaneSettings

READS, WRITES = [requires(Scope.IDENTITY_READ)], [requires(Scope.IDENTITY_WRITE)]


class PolicyController(Controller):
    """How long sessions last, from where, with which factors, and who comes in regardless."""

    path = "/organisations/{reference:str}/sign-in-policy"
    tags = ["Sign-in policy"]

    @get("/", guards=READS, sync_to_thread=True)
    def show_policy(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation]
    ) -> Response[PolicyView]:
        """Show the policy. Its ETag is wanted by every change of it."""
        return _policy(identity.policy(session, organisation.id))

    @patch("/", guards=WRITES, sync_to_thread=True)
    def change_policy(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        data: JSONBody[PolicyChange],
        if_match: IfMatch = None,
    ) -> Response[PolicyView]:
        """Change the policy. Sessions that it does not allow end with their next request."""
        revision = seen(if_match, identity.policy(session, organisation.id).revision)
        change = msgspec.convert(msgspec.to_builtins(data), identity.PolicyChange)
        return _policy(identity.set_policy(session, organisation.id, change, actor=actor, revision=revision))


def _policy(found: identity.PolicyView) -> Response[PolicyView]:
    return Response(policy_view(found), headers=etag(found.revision))


class ScimTokenController(Controller):
    """By a token, the organisation's directory pushes its people. Two work at a time, so that they can rotate."""

    path = "/organisations/{reference:str}/scim-tokens"
    tags = ["SCIM tokens"]

    @get("/", guards=READS, sync_to_thread=True)
    def list_scim_tokens(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation]
    ) -> ScimTokenList:
        """List its tokens, ended ones included."""
        return ScimTokenList(items=[scim_token_view(one) for one in identity.scim_tokens(session, organisation.id)])

    @post("/", guards=WRITES, sync_to_thread=True)
    def issue_scim_token(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
        data: JSONBody[NewScimToken],
    ) -> Response[NewScimTokenView]:
        """Make a token; its secret is shown this once."""
        return once.answer(lambda: _issued(session, settings, organisation, data, actor))

    @delete("/{scim_token_id:uuid}", guards=WRITES, sync_to_thread=True)
    def revoke_scim_token(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        scim_token_id: FromPath[UUID],
    ) -> None:
        """Stop a token at once."""
        identity.revoke_scim_token(session, organisation.id, scim_token_id, actor=actor)


def _issued(
    session: Session, settings: ControlPlaneSettings, organisation: Organisation, data: NewScimToken, actor: Actor
) -> Response[NewScimTokenView]:
    made, secret = identity.issue_scim_token(
        session, organisation.id, data.name, connection_id=data.connection_id, days=data.days, actor=actor
    )
    where = f"{settings.workspace_url(organisation.address)}/scim/v2"
    return Response(
        NewScimTokenView(token=scim_token_view(made), secret=secret, scim_url=where),
        status_code=201,
        headers={"Location": f"/api/v1/organisations/{organisation.id}/scim-tokens"},
    )


class SetUpLinkController(Controller):
    """By a link, somebody of the organisation's IT sets one thing up without an account, once."""

    path = "/organisations/{reference:str}/set-up-links"
    tags = ["Set-up links"]

    @get("/", guards=READS, sync_to_thread=True)
    def list_set_up_links(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation]
    ) -> SetUpLinkList:
        """List its links, ended ones included."""
        return SetUpLinkList(items=[set_up_link_view(one) for one in identity.set_up_links(session, organisation.id)])

    @post("/", guards=WRITES, sync_to_thread=True)
    def make_set_up_link(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
        data: JSONBody[NewSetUpLink],
    ) -> Response[NewSetUpLinkView]:
        """Make a link; its address is shown this once."""
        return once.answer(lambda: _linked(session, settings, organisation, data, actor))

    @delete("/{link_id:uuid}", guards=WRITES, sync_to_thread=True)
    def revoke_set_up_link(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        link_id: FromPath[UUID],
    ) -> None:
        """Let a link open nothing any more."""
        identity.revoke_set_up_link(session, organisation.id, link_id, actor=actor)


def _linked(
    session: Session, settings: ControlPlaneSettings, organisation: Organisation, data: NewSetUpLink, actor: Actor
) -> Response[NewSetUpLinkView]:
    made, url = identity.make_set_up_link(
        session, settings, organisation.id, data.purpose, hours=data.hours, actor=actor
    )
    headers = {"Location": f"/api/v1/organisations/{organisation.id}/set-up-links"}
    return Response(NewSetUpLinkView(link=set_up_link_view(made), url=url), status_code=201, headers=headers)
