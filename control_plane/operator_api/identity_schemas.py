"""What scripts read of how an organisation's people sign in. Secrets are shown once, when they are made."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta

from control_plane.operator_api.identity_bodies import Kind, MemberRole, Stage, Vendor
from control_plane.operator_api.schemas import Cursor, View

Moment = datetime | None


class DomainAnswerView(View, kw_only=True):
    """What one name server said."""

    resolver: str
    ok: Annotated[bool, Meta(description="The proof is among what it has.")]
    seen: list[str]
    trouble: Annotated[
        Literal["no_name", "no_record", "timeout", "failed"] | None,
        Meta(description="Why there is nothing to be seen."),
    ]


class DomainView(View, kw_only=True):
    """A claimed domain. It is proven by the TXT record; `failing` still counts, until `lost_after`."""

    id: UUID
    name: str
    state: Literal["pending", "proven", "failing", "lost"]
    record_name: str
    record_value: str
    capture: bool
    answers: list[DomainAnswerView]
    created_at: datetime
    checked_at: Moment
    proven_at: Moment
    failing_since: Moment
    lost_after: Moment


class DomainList(View, kw_only=True):
    """An organisation's domains, by name."""

    items: list[DomainView]


class CertificateView(View, kw_only=True):
    """A certificate, as people compare it."""

    fingerprint: Annotated[str, Meta(description="The first ten bytes of its SHA-256.")]
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    expired: bool


class ConnectionKeyView(View, kw_only=True):
    """A SAML key of ours. The current one signs, the next one is only announced."""

    id: UUID
    state: Literal["current", "next", "past"]
    certificate: CertificateView
    pem: str
    created_at: datetime


class ServiceView(View, kw_only=True):
    """Our addresses, to be entered at the provider's: the first four for SAML, then for OpenID Connect."""

    entity_id: str
    metadata_url: str
    acs_url: str
    slo_url: str
    begin_url: str
    redirect_uri: str
    logout_url: str
    scim_url: str


class ConnectionView(View, kw_only=True):
    """An identity provider. An enforced one goes back to `pilot` at `reverts_at` unless an administrator gets in."""

    id: UUID
    kind: Kind
    vendor: Vendor
    name: str
    stage: Stage
    domains: list[str]
    proven_domains: Annotated[list[str], Meta(description="Those of `domains` that count.")]
    pilot: list[str]
    attributes: dict[str, str]
    roles: dict[str, MemberRole]
    otherwise: MemberRole | None
    just_in_time: bool
    settings: dict[str, Any]
    has_secret: bool
    certificates: list[CertificateView]
    certificates_until: Annotated[Moment, Meta(description="From then on nobody gets in by it.")]
    keys: list[ConnectionKeyView]
    service: ServiceView
    metadata_url: str | None
    metadata_at: Moment
    metadata_trouble: str | None
    tested_at: Moment
    enforced_at: Moment
    reverts_at: Moment
    revision: Annotated[int, Meta(description="Counts writes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


class ConnectionList(View, kw_only=True):
    """An organisation's connections, the oldest first."""

    items: list[ConnectionView]


class TestRunView(View, kw_only=True):
    """Open the address in a browser: a real sign-in that opens no session. Give it a second to be published."""

    __test__ = False

    url: str
    expires_at: datetime


class FailureView(View, kw_only=True):
    """Why a sign-in let nobody in: a stable code, and words that name the check, what was received, and the cure."""

    code: str
    detail: Annotated[str, Meta(description="In the caller's language.")]


class TraceView(View, kw_only=True):
    """What a sign-in or a test run went through: its checks, redacted claims, what came of it."""

    id: UUID
    purpose: str
    outcome: Annotated[str, Meta(description="`ok`, or the code of the check that failed.")]
    principal_id: UUID | None
    failure: FailureView | None
    data: dict[str, Any]
    at: datetime


class TraceList(View, kw_only=True):
    """The latest, the newest first."""

    items: list[TraceView]


class SignInView(View, kw_only=True):
    """A sign-in or a test run of any of the organisation's connections, those that it has removed too."""

    id: UUID
    connection_id: UUID
    verb: Annotated[str, Meta(description="`sign_in` or `test`, then `.ok` or `.refused`.")]
    outcome: Annotated[str, Meta(description="`ok`, or the code of the check that failed.")]
    principal_id: UUID | None
    failure: FailureView | None
    data: dict[str, Any]
    at: datetime


class SignInPage(View, kw_only=True):
    """A page of sign-ins, newest first."""

    items: list[SignInView]
    next_cursor: Cursor


class ScimEventView(View, kw_only=True):
    """What a directory did to whom. Without a token: what was decided about it in the organisation's console."""

    id: UUID
    token_id: UUID | None
    verb: str
    object_id: UUID | None
    name: Annotated[str | None, Meta(description="Of the person or group, as it is now.")]
    data: dict[str, Any]
    at: datetime


class ScimEventPage(View, kw_only=True):
    """A page of what directories did, newest first."""

    items: list[ScimEventView]
    next_cursor: Cursor


class PolicyView(View, kw_only=True):
    """The policy as it stands. Null: the product's own default."""

    session_seconds: int | None
    idle_seconds: int | None
    second_factor: bool
    networks: list[str]
    break_glass: list[UUID]
    brake_percent: int
    revision: Annotated[int, Meta(description="Counts writes; it is the ETag.")]
    updated_at: Moment


class ScimTokenView(View, kw_only=True):
    """A directory's token, without its secret."""

    id: UUID
    name: str
    prefix: str
    connection_id: UUID | None
    alive: bool
    created_by: str
    created_at: datetime
    expires_at: Moment
    revoked_at: Moment


class ScimTokenList(View, kw_only=True):
    """An organisation's tokens, the latest first, ended ones included."""

    items: list[ScimTokenView]


class NewScimTokenView(View, kw_only=True):
    """A new token; its secret is shown this once."""

    token: ScimTokenView
    secret: str
    scim_url: str


class SetUpLinkView(View, kw_only=True):
    """A link, without its secret."""

    id: UUID
    purpose: Literal["domains", "sign_in", "scim"]
    alive: bool
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: Moment
    revoked_at: Moment


class SetUpLinkList(View, kw_only=True):
    """An organisation's links, the latest first, ended ones included."""

    items: list[SetUpLinkView]


class NewSetUpLinkView(View, kw_only=True):
    """A new link; its address is shown this once."""

    link: SetUpLinkView
    url: str
