"""What scripts send to set up how an organisation's people sign in."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from control_plane.operator_api.bodies import Body

Kind = Literal["saml", "oidc"]
Vendor = Literal["entra", "okta", "google", "adfs", "keycloak", "generic"]
Stage = Literal["draft", "tested", "pilot", "enforced"]
MemberRole = Literal["guest", "member", "administrator"]
Line = Annotated[str, Meta(min_length=1, max_length=2000)]
Lines = Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=200)]
Words = dict[str, Annotated[str, Meta(min_length=1, max_length=300)]]
Roles = Annotated[dict[str, MemberRole], Meta(description="A group of the provider, and what its people become here.")]
Label = Annotated[str, Meta(min_length=1, max_length=60, description="Stands on the button.", examples=["Entra ID"])]
Attributes = Annotated[
    Words, Meta(description="Under which names `email`, `name`, `given_name`, `family_name` and `groups` come.")
]
Seconds = Annotated[int, Meta(ge=1, le=10_000_000)]


class NewDomain(Body, kw_only=True):
    """A mail domain that the organisation says is its own."""

    name: Annotated[str, Meta(min_length=1, max_length=253, examples=["sevres.example"])]


class DomainChange(Body, kw_only=True):
    """What a proven domain does."""

    capture: Annotated[bool, Meta(description="Lead people who sign up with a mailbox there to this organisation.")]


class ProviderSettings(Body, kw_only=True):
    """What a provider is asked by. The first eight are SAML's, where metadata does not say them; the rest OpenID's."""

    entity_id: Line | UnsetType = UNSET
    sso_url: Line | UnsetType = UNSET
    sso_binding: Literal["redirect", "post"] | UnsetType = UNSET
    slo_url: Line | UnsetType | None = UNSET
    slo_binding: Literal["redirect", "post"] | UnsetType = UNSET
    certificates: (
        Annotated[
            list[Annotated[str, Meta(max_length=20_000)]],
            Meta(max_length=8, description="PEM or base64; several are accepted at once."),
        ]
        | UnsetType
    ) = UNSET
    sign_requests: bool | UnsetType = UNSET
    allow_idp_initiated: bool | UnsetType = UNSET
    issuer: Line | UnsetType = UNSET
    client_id: Line | UnsetType = UNSET
    client_secret: (
        Annotated[str, Meta(min_length=1, max_length=2000, description="Sealed, and never shown again.")] | UnsetType
    ) = UNSET
    auth_method: Literal["client_secret_basic", "client_secret_post", "none"] | UnsetType = UNSET
    scopes: Lines | UnsetType = UNSET


class NewConnection(Body, kw_only=True):
    """An identity provider to be connected. SAML by its metadata or settings, OpenID Connect by its settings."""

    kind: Kind
    name: Label
    vendor: Vendor = "generic"
    domains: Annotated[Lines, Meta(description="Where it may make people; only proven ones count.")] = field(
        default_factory=list
    )
    pilot: Annotated[Lines, Meta(description="E-mails of those who may use it at the stage `pilot`.")] = field(
        default_factory=list
    )
    attributes: Annotated[Attributes | None, Meta(description="Left out: those of the vendor.")] = None
    roles: Roles = field(default_factory=dict)
    otherwise: Annotated[MemberRole | None, Meta(description="What others become; null refuses them.")] = "member"
    just_in_time: Annotated[bool, Meta(description="Make people at their first sign-in.")] = True
    metadata_url: Annotated[Line | None, Meta(description="Fetched now and once a day.")] = None
    metadata_xml: Annotated[Annotated[str, Meta(max_length=60_000)] | None, Meta(description="Instead of a URL.")] = (
        None
    )
    settings: ProviderSettings = field(default_factory=ProviderSettings)


class ConnectionChange(Body, kw_only=True):
    """What is to be different. What is left out stays; new settings want a new test."""

    name: Label | UnsetType = UNSET
    domains: Lines | UnsetType = UNSET
    pilot: Lines | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET
    roles: Roles | UnsetType = UNSET
    otherwise: MemberRole | UnsetType | None = UNSET
    just_in_time: bool | UnsetType = UNSET
    metadata_url: Line | UnsetType | None = UNSET
    metadata_xml: Annotated[str, Meta(max_length=60_000)] | UnsetType = UNSET
    settings: ProviderSettings | UnsetType = UNSET


class StageChange(Body, kw_only=True):
    """Where a connection is to be."""

    stage: Annotated[Stage, Meta(description="Upwards with proof only, see the refusal's `errors`; down at any time.")]


class KeyStep(Body, kw_only=True):
    """What to do with our own SAML key."""

    step: Annotated[
        Literal["announce", "use"],
        Meta(description="`announce` publishes the next key in our metadata; `use` signs by it from now on."),
    ]


class PolicyChange(Body, kw_only=True):
    """What is to be different; what is left out stays. Null: the product's own default."""

    session_seconds: Annotated[Seconds | UnsetType | None, Meta(description="How long a session lasts.")] = UNSET
    idle_seconds: Annotated[Seconds | UnsetType | None, Meta(description="How long it lasts unused.")] = UNSET
    second_factor: Annotated[bool | UnsetType, Meta(description="A password alone is not enough.")] = UNSET
    networks: Annotated[Lines | UnsetType, Meta(description="Only from here; none: from everywhere.")] = UNSET
    break_glass: Annotated[
        Annotated[list[UUID], Meta(max_length=10)] | UnsetType,
        Meta(description="Administrators, by their ids, who come in regardless of enforcement and networks."),
    ] = UNSET
    brake_percent: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | UnsetType,
        Meta(description="A push of the directory that would remove more of the members waits for approval."),
    ] = UNSET


class NewScimToken(Body, kw_only=True):
    """A token for the organisation's directory."""

    name: Annotated[str, Meta(min_length=1, max_length=80, examples=["Entra ID"])]
    connection_id: Annotated[UUID | None, Meta(description="By which connection its people sign in.")] = None
    days: Annotated[
        Annotated[int, Meta(ge=1, le=1095)] | None, Meta(description="How long it works; null: for ever.")
    ] = 365


class NewSetUpLink(Body, kw_only=True):
    """A link for somebody of the organisation's IT without an account."""

    purpose: Annotated[Literal["domains", "sign_in", "scim"], Meta(description="The one thing it lets set up.")]
    hours: Annotated[int, Meta(ge=1, le=336, description="How long it works.")] = 72
