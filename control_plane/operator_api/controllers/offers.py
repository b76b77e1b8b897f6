"""Offers: what is sold, by version."""

from typing import Annotated

from litestar import Controller, Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.orm import Session

from control_plane import catalogue
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.bodies import NewOffer, OfferTerms
from control_plane.operator_api.dependencies import IfMatch, etag, seen
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.presenting import offer_view
from control_plane.operator_api.schemas import OfferList, OfferVersions, OfferView
from kit.errors import Refusal, not_found

Public = Annotated[bool | None, QueryParameter(description="Only those shown on the public site.")]


class OfferController(Controller):
    """Changing an offer makes a new version; organisations keep theirs until they are moved."""

    path = "/offers"
    tags = ["Offers"]

    @get("/", guards=[requires(Scope.OFFERS_READ)], sync_to_thread=True)
    def list_offers(self, session: NamedDependency[Session], public: Public = None) -> OfferList:
        """List the offers that are sold, in the order of the price list."""
        found = catalogue.offers(session, public_only=bool(public))
        return OfferList(items=[offer_view(one) for one in found])

    @get("/{code:str}", guards=[requires(Scope.OFFERS_READ)], sync_to_thread=True)
    def show_offer(self, session: NamedDependency[Session], code: FromPath[str]) -> Response[OfferVersions]:
        """Show an offer and all its versions. Its ETag is the present version."""
        current = _current(session, code)
        versions = [offer_view(one) for one in catalogue.versions(session, code)]
        return Response(OfferVersions(offer=offer_view(current), versions=versions), headers=etag(current.version))

    @post("/", guards=[requires(Scope.OFFERS_WRITE)], sync_to_thread=True)
    def publish_new_offer(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        data: JSONBody[NewOffer],
    ) -> Response[OfferView]:
        """Publish a new offer."""
        return once.answer(lambda: _new(session, data, actor))

    @put("/{code:str}", guards=[requires(Scope.OFFERS_WRITE)], sync_to_thread=True)
    def publish_offer_version(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        code: FromPath[str],
        data: JSONBody[OfferTerms],
        if_match: IfMatch = None,
    ) -> Response[OfferView]:
        """Publish the next version of an offer; its code stays."""
        seen(if_match, _current(session, code).version)
        return _published(session, code, data, actor, status=200)


def _current(session: Session, code: str) -> catalogue.OfferView:
    try:
        return catalogue.current(session, code)
    except Refusal as refusal:
        # A code in the address is a place, not an input.
        raise not_found("offer") from refusal


def _new(session: Session, data: NewOffer, actor: Actor) -> Response[OfferView]:
    if any(one.code == data.code for one in catalogue.offers(session)):
        message = "There is an offer with this code; publish its next version by PUT /api/v1/offers/{offer}."
        raise Refusal("offer_exists", message, field="code", status=409, offer=data.code)
    return _published(session, data.code, data, actor, status=201)


def _published(session: Session, code: str, data: OfferTerms, actor: Actor, *, status: int) -> Response[OfferView]:
    names = {
        locale: {"name": words.name, "description": words.description}
        for locale, words in (("fr", data.names.fr), ("en", data.names.en))
    }
    offer = catalogue.publish(
        session,
        code,
        names=names,
        entitlements=data.entitlements,
        terms=data.terms,
        requirements=data.requirements,
        public=data.public,
        rank=data.rank,
        actor=actor,
    )
    headers = {**etag(offer.version), "Location": f"/api/v1/offers/{code}"}
    return Response(offer_view(offer), status_code=status, headers=headers)
