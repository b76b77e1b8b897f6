"""Rows of the rooms as views."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from sqlalchemy.orm import Session

from control_plane import catalogue, organisations, provisioning
from control_plane.audit import AuditEvent
from control_plane.identity import ApiToken, Owner
from control_plane.operator_api import schemas
from control_plane.organisations import Hold, Organisation
from control_plane.provisioning import Operation
from kit.interface import N_, Translator
from kit.settings import ControlPlaneSettings

OPERATIONS = "/api/v1/operations"


def organisation_view(row: Organisation, settings: ControlPlaneSettings) -> schemas.OrganisationView:
    """An organisation."""
    return schemas.OrganisationView(
        offer=schemas.OfferRef(code=row.offer_code, version=row.offer_version),
        admin=schemas.AdminView(email=row.admin_email, name=row.admin_name),
        url=settings.workspace_url(row.address),
        **fields(row, schemas.OrganisationView, {"offer", "admin", "url"}),
    )


def operation_view(session: Session, row: Operation) -> schemas.OperationView:
    """An operation with its steps."""
    steps = [schemas.StepView(**fields(step, schemas.StepView)) for step in provisioning.steps(session, row.id)]
    return schemas.OperationView(
        percentage=provisioning.progress(session, row).percent,
        steps=steps,
        **fields(row, schemas.OperationView, {"percentage", "steps"}),
    )


def accepted(session: Session, row: Operation) -> Response[schemas.OperationView]:
    """202: it is on its way, follow Location."""
    return Response(operation_view(session, row), status_code=202, headers={"Location": f"{OPERATIONS}/{row.id}"})


def hold_view(row: Hold) -> schemas.HoldView:
    """A hold."""
    return schemas.HoldView(**fields(row, schemas.HoldView))


def offer_view(offer: catalogue.OfferView) -> schemas.OfferView:
    """A version of an offer."""
    return schemas.OfferView(**fields(offer, schemas.OfferView))


def token_view(row: ApiToken, owners: Mapping[UUID, Owner]) -> schemas.TokenView:
    """A token, never its secret."""
    owner = owners.get(row.owner_id) if row.owner_id else None
    return schemas.TokenView(
        owner=owner.email if owner else None,
        stopped=owner is not None and not owner.answers,
        **fields(row, schemas.TokenView, ("owner", "stopped")),
    )


def event_view(row: AuditEvent) -> schemas.EventView:
    """An event of the record."""
    return schemas.EventView(**fields(row, schemas.EventView))


def fields(row: Any, view: type[msgspec.Struct], made: Collection[str] = ()) -> dict[str, Any]:
    """The fields of `view` that `row` has under the same names; those in `made` are made otherwise."""
    return {name: getattr(row, name) for name in view.__struct_fields__ if name not in made}


def effects_view(effects: organisations.Effects, words: Translator) -> schemas.EffectsView:
    """What would happen, or why not, in the caller's language."""
    refused = effects.refusal
    return schemas.EffectsView(
        allowed=effects.allowed,
        effects=[_effect(line, words) for line in effects.lines],
        refusal=schemas.EffectView(code=refused.code, message=words.words(refused)) if refused else None,
    )


def _effect(line: organisations.Effect, words: Translator) -> schemas.EffectView:
    message = words(line.message)
    # A limit of None is none.
    params = {name: words(N_("none")) if value is None else value for name, value in line.params.items()}
    return schemas.EffectView(code=line.code, message=message.format(**params) if params else message)


def usage_view(session: Session, row: Organisation) -> schemas.UsageView:
    """What it uses of what it may use."""
    used = organisations.usage(session, row.id)
    return schemas.UsageView(
        organisation_id=row.id,
        entitlements=organisations.entitled(session, row),
        **{name: getattr(used, name, None) for name in ("seen_at", "storage_bytes", "members", "guests", "spaces")},
    )
