"""What scripts read of backup mirrors: how far each copy is behind, and what was asked of it."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta

from control_plane.operator_api.schemas import Cursor, View

Moment = datetime | None
MirrorState = Literal["new", "copying", "whole", "waiting", "suspended", "needs_keys", "failing", "off"]


class MirrorFindingView(View, kw_only=True):
    """An object that is not as it should be."""

    key: str
    what: str


class MirrorRunView(View, kw_only=True):
    """A verification of a mirror, or a restoration from it: a worker does it. Look again until it is done or failed."""

    id: UUID
    organisation_id: UUID
    kind: Literal["verify", "restore"]
    state: Literal["pending", "running", "done", "failed"]
    asked: Annotated[dict[str, Any], Meta(description="What was asked for.")]
    requested_by: dict[str, Any]
    created_at: datetime
    started_at: Moment
    finished_at: Moment
    expected: Annotated[int | None, Meta(description="How many objects the mirror held when it was asked.")]
    checked: int
    read_bytes: int
    restored: int
    restored_bytes: int
    mismatches: Annotated[int, Meta(description="How many objects are not as they should be.")]
    findings: Annotated[list[MirrorFindingView], Meta(description="The first of them.")]
    error_code: str | None
    error: str | None


class MirrorRunList(View, kw_only=True):
    """What was asked of a mirror, the newest first."""

    items: list[MirrorRunView]


class MirrorView(View, kw_only=True):
    """An organisation's mirror."""

    organisation_id: UUID
    cell: str | None
    endpoint: str | None
    state: Annotated[
        MirrorState,
        Meta(description="needs_keys: its files are encrypted by its own key, which the mirror has not; not copied."),
    ]
    well: Annotated[bool, Meta(description="Whether nobody need look at it.")]
    lag_seconds: Annotated[
        float | None, Meta(description="What was written in so many seconds may be lost with the store.")
    ]
    whole_at: Annotated[Moment, Meta(description="When the last pass began that saw and had everything.")]
    started_at: Moment
    finished_at: Moment
    due_at: Moment
    objects: int | None
    bytes: int | None
    copied: int
    copied_bytes: int
    removed: int
    kept: Annotated[int, Meta(description="Objects that the store has no more and the mirror keeps for a while.")]
    missing: Annotated[int, Meta(description="Objects that only the store has so far.")]
    oldest_unmirrored_at: Moment
    differing: Annotated[int, Meta(description="Objects that are not the same on both sides.")]
    error_code: str | None
    error: str | None
    verified_at: Moment
    verified_objects: int | None
    mismatches: Annotated[int | None, Meta(description="What the last verification found.")]
    run: Annotated[MirrorRunView | None, Meta(description="The newest verification or restoration.")]


class MirrorPage(View, kw_only=True):
    """A page of mirrors, those that are furthest behind first. Their runs are left out."""

    items: list[MirrorView]
    next_cursor: Cursor


class MirrorSummaryView(View, kw_only=True):
    """The mirrors of a cell."""

    endpoint: str | None
    well: bool
    organisations: int
    states: Annotated[dict[str, int], Meta(description="How many mirrors are in which state.")]
    worst_lag_seconds: float | None
    never: Annotated[int, Meta(description="How many never were whole.")]
    missing: int
    differing: int
    mismatches: int
    objects: int
    bytes: int
