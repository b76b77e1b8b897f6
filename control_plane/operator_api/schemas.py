"""What scripts read. A view shows what its room knows; it holds no rule."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from control_plane.catalogue import Entitlements, Requirements, Terms
from control_plane.identity import Scope

OrganisationState = Literal["ordered", "provisioning", "live", "read_only", "suspended", "closing", "erased", "failed"]
OperationState = Literal["pending", "running", "succeeded", "failed", "cancelled", "superseded"]
StepState = Literal["waiting", "running", "retrying", "done", "failed"]
Cursor = Annotated[str | None, Meta(description="Give it as `cursor` to read on; null on the last page.")]


class View(msgspec.Struct, kw_only=True):
    """A JSON object of an answer."""


class OfferRef(View, kw_only=True):
    """The version of an offer that an organisation has."""

    code: str
    version: int


class AdminView(View, kw_only=True):
    """The first administrator."""

    email: str
    name: str


class OrganisationView(View, kw_only=True):
    """An organisation, as it is now."""

    id: UUID
    name: str
    address: str
    url: Annotated[str, Meta(description="Where its workspace answers.")]
    state: OrganisationState
    offer: OfferRef
    admin: AdminView
    siret: str | None
    entity_kind: str | None
    locale: str
    source: str
    flags: Annotated[list[str], Meta(description="What staff should look at.")]
    revision: Annotated[int, Meta(description="Counts writes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime
    live_at: datetime | None
    trial_ends_at: datetime | None
    closing_at: datetime | None
    erase_after: datetime | None
    erased_at: datetime | None
    failure: Annotated[str | None, Meta(description="Why it could not be made.")]


class OrganisationPage(View, kw_only=True):
    """A page of organisations."""

    items: list[OrganisationView]
    next_cursor: Cursor
    total_estimate: Annotated[int | None, Meta(description="How many there are in all; large numbers are estimates.")]


class StepView(View, kw_only=True):
    """A line of the ledger: one step of an operation."""

    name: str
    state: StepState
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    milliseconds: float | None
    changed: Annotated[bool, Meta(description="Whether the step had something to do.")]
    error_code: str | None
    error: str | None
    next_try_at: datetime | None


class OperationView(View, kw_only=True):
    """Something that was asked for and takes a moment."""

    id: UUID
    organisation_id: UUID
    kind: Annotated[str, Meta(description="What was asked for.", examples=["create"])]
    state: OperationState
    percentage: Annotated[int, Meta(ge=0, le=100)]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: str | None
    error: str | None
    retryable: Annotated[bool, Meta(description="Whether trying again may help.")]
    steps: list[StepView]


class OperationPage(View, kw_only=True):
    """A page of operations, newest first."""

    items: list[OperationView]
    next_cursor: Cursor


class Ordered(View, kw_only=True):
    """What a new organisation is, and the operation that makes it."""

    organisation: OrganisationView
    operation: OperationView


class EffectView(View, kw_only=True):
    """One thing that would happen."""

    code: str
    message: str


class EffectsView(View, kw_only=True):
    """What a change would do, told without doing it."""

    allowed: bool
    effects: list[EffectView]
    refusal: Annotated[EffectView | None, Meta(description="Why it would be refused.")]


class HoldView(View, kw_only=True):
    """A reason that keeps an organisation from being fully live."""

    id: UUID
    kind: Literal["contract", "billing", "technical"]
    effect: Literal["read_only", "suspended"]
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None


class HoldList(View, kw_only=True):
    """An organisation's holds, newest first."""

    items: list[HoldView]


class UsageView(View, kw_only=True):
    """What an organisation uses of what it may use; null where its cell has not yet reported, or there is no limit."""

    organisation_id: UUID
    seen_at: datetime | None
    storage_bytes: int | None
    members: int | None
    guests: int | None
    spaces: int | None
    entitlements: Entitlements


class OfferView(View, kw_only=True):
    """One version of an offer."""

    code: str
    version: int
    names: dict[str, Any]
    entitlements: Entitlements
    terms: Terms
    requirements: Requirements
    public: bool
    created_at: datetime


class OfferList(View, kw_only=True):
    """Offers in the order of the price list."""

    items: list[OfferView]


class OfferVersions(View, kw_only=True):
    """An offer as it is sold now, and all its versions, newest first."""

    offer: OfferView
    versions: list[OfferView]


class TokenView(View, kw_only=True):
    """A script's token, without its secret."""

    id: UUID
    name: str
    prefix: str
    scopes: list[Scope]
    networks: list[str]
    created_by: str
    owner: Annotated[str | None, Meta(description="E-mail of the operator who answers for it; none if nobody.")]
    stopped: Annotated[bool, Meta(description="Its owner is no operator any more: hand it over.")]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    used_from: str | None
    replaces_id: Annotated[UUID | None, Meta(description="The token that this one follows; both work for a while.")]
    revoked_at: datetime | None


class TokenList(View, kw_only=True):
    """The tokens."""

    items: list[TokenView]


class NewTokenView(View, kw_only=True):
    """A token that was just made. `secret` is shown this once."""

    token: TokenView
    secret: str


class EventView(View, kw_only=True):
    """One thing that happened, as the record holds it."""

    id: UUID
    chain: str
    seq: int
    at: datetime
    organisation_id: UUID | None
    actor: dict[str, Any]
    verb: str
    data: dict[str, Any]


class EventPage(View, kw_only=True):
    """A page of events, newest first."""

    items: list[EventView]
    next_cursor: Cursor


class FindingView(View, kw_only=True):
    """A place where the record was tampered with."""

    chain: str
    seq: int
    problem: str


class AuditReport(View, kw_only=True):
    """What a verification of the record read, and what it found."""

    ok: bool
    chains: int
    events: int
    findings: list[FindingView]
