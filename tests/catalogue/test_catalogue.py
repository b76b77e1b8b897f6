"""Offers are sold by version; a version never changes."""

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from control_plane import audit, catalogue
from control_plane.audit import SYSTEM
from control_plane.catalogue import Entitlements, OfferView, Requirements, Terms
from kit.errors import Refusal, Refusals


@pytest.fixture
def seeded(session: Session) -> Session:
    assert catalogue.seed(session) == 4
    return session


def publish(session: Session, offer: OfferView, **changes: object) -> OfferView:
    """Publish an offer with some of its parts changed."""
    parts = {
        "names": offer.names,
        "entitlements": offer.entitlements,
        "terms": offer.terms,
        "requirements": offer.requirements,
    }
    return catalogue.publish(session, offer.code, actor=SYSTEM, **(parts | changes))  # type: ignore[arg-type]


def bigger(offer: OfferView) -> Entitlements:
    return msgspec.structs.replace(offer.entitlements, storage_bytes=offer.entitlements.storage_bytes * 2)


def test_four_offers_are_shipped_and_seeding_again_adds_none(seeded: Session) -> None:
    assert [offer.code for offer in catalogue.offers(seeded)] == ["public-sector", "team", "business", "enterprise"]
    assert catalogue.seed(seeded) == 0


def test_the_public_sector_has_three_months_a_hundred_gigabytes_and_any_number_of_members(seeded: Session) -> None:
    offer = catalogue.current(seeded, "public-sector")
    granted, terms = offer.entitlements, offer.terms
    assert (granted.storage_bytes, granted.members, granted.guests) == (100 * 10**9, None, None)
    assert (terms.trial_months, terms.price_cents, terms.price_per, terms.follows) == (
        3,
        19_000,
        "organisation",
        "read_only",
    )
    assert (offer.name("fr"), offer.name("en"), offer.name("de")) == (
        "Secteur public",
        "Public sector",
        "Public sector",
    )
    assert "trois mois" in offer.description("fr")


def test_an_enterprise_cannot_be_chosen_by_a_visitor(seeded: Session) -> None:
    assert not catalogue.current(seeded, "enterprise").terms.self_service


def test_a_change_makes_a_new_version_and_the_old_one_stays(seeded: Session) -> None:
    before = catalogue.current(seeded, "team")
    after = publish(seeded, before, entitlements=bigger(before))
    assert (before.version, after.version) == (1, 2)
    assert catalogue.current(seeded, "team") == after
    assert catalogue.version(seeded, "team", 1).entitlements == before.entitlements
    assert [one.version for one in catalogue.versions(seeded, "team")] == [2, 1]
    assert audit.events(seeded).items[0].data["version"] == 2


def test_an_unchanged_offer_makes_no_version(seeded: Session) -> None:
    with pytest.raises(Refusal, match="version 1 says already") as refused:
        publish(seeded, catalogue.current(seeded, "team"))
    assert refused.value.code == "offer_unchanged"


@pytest.mark.parametrize(
    "statement",
    ["update offer_version set terms = '{}'", "delete from offer_version"],
)
def test_the_database_itself_refuses_to_change_a_version(seeded: Session, statement: str) -> None:
    with pytest.raises(DBAPIError, match="written once"):
        seeded.execute(text(statement))


def test_a_retired_offer_is_sold_no_more_and_its_versions_stay(seeded: Session) -> None:
    catalogue.retire(seeded, "team", actor=SYSTEM)
    with pytest.raises(Refusal, match="no offer called team"):
        catalogue.current(seeded, "team")
    assert catalogue.version(seeded, "team", 1).code == "team"
    assert "team" not in [offer.code for offer in catalogue.offers(seeded)]


def test_only_public_offers_are_shown_to_the_public(seeded: Session) -> None:
    publish(seeded, catalogue.current(seeded, "team"), public=False)
    assert "team" not in [offer.code for offer in catalogue.offers(seeded, public_only=True)]
    assert "team" in [offer.code for offer in catalogue.offers(seeded)]


WRONG = {
    "code": ("code", {"code": "Team Offer"}),
    "no French name": ("names.fr.name", {"names": {"en": {"name": "Team"}}}),
    "no storage": ("entitlements.storage_bytes", {"entitlements": {"storage_bytes": 0}}),
    "less than no members": ("entitlements.members", {"entitlements": {"members": -1}}),
    "a trial of years": ("terms.trial_months", {"terms": {"trial_months": 25}}),
    "a price below nothing": ("terms.price_cents", {"terms": {"price_cents": -1}}),
    "a price per moon": ("terms.price_per", {"terms": {"price_per": "moon"}}),
    "a currency": ("terms.currency", {"terms": {"currency": "euros"}}),
    "followed by nothing known": ("terms.follows", {"terms": {"follows": "moon"}}),
}


@pytest.mark.parametrize(("field", "changes"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_part_of_an_offer_is_named_and_nothing_is_stored(
    seeded: Session, field: str, changes: dict[str, object]
) -> None:
    offer = catalogue.current(seeded, "team")
    changed: dict[str, object] = {}
    for name, value in changes.items():
        part = getattr(offer, name)
        changed[name] = msgspec.structs.replace(part, **value) if isinstance(part, msgspec.Struct) else value  # type: ignore[arg-type]
    code = str(changed.pop("code", "team"))
    parts = {"names": offer.names, "entitlements": offer.entitlements, "terms": offer.terms} | changed
    with pytest.raises(Refusals) as refused:
        catalogue.publish(seeded, code, actor=SYSTEM, **parts)  # type: ignore[arg-type]
    assert [one.field for one in refused.value.refusals] == [field]
    assert len(catalogue.versions(seeded, "team")) == 1


def test_a_new_code_is_a_new_offer(seeded: Session) -> None:
    team = catalogue.current(seeded, "team")
    made = catalogue.publish(
        seeded,
        "sovereign",
        names=team.names,
        entitlements=team.entitlements,
        terms=Terms(trial_months=0, price_cents=1, price_per="member", follows="team"),
        requirements=Requirements(region="fr-par", qualities=("secnumcloud",)),
        rank=50,
        actor=SYSTEM,
    )
    assert (made.version, made.requirements.qualities) == (1, ("secnumcloud",))
    assert catalogue.offers(seeded)[-1].code == "sovereign"


def test_files_are_encrypted_by_the_store_unless_an_offer_says_otherwise(seeded: Session) -> None:
    offer = catalogue.current(seeded, "team")
    assert (offer.entitlements.encryption, offer.entitlements.own_keys) == ("store", False)
    own = msgspec.structs.replace(offer.entitlements, encryption="tenant")
    assert publish(seeded, offer, entitlements=own).entitlements.own_keys
    with pytest.raises(Refusals) as refused:
        publish(seeded, offer, entitlements=msgspec.structs.replace(own, encryption="none"))  # type: ignore[arg-type]
    assert [one.field for one in refused.value.refusals] == ["entitlements.encryption"]


def test_an_offer_from_before_encryption_was_sold_is_the_stores_own(seeded: Session) -> None:
    insert = """
        insert into offer_version (id, offer_code, version, names, entitlements, terms, requirements)
        select gen_random_uuid(), offer_code, 7, names, entitlements - 'encryption', terms, requirements
        from offer_version where offer_code = 'team'
    """
    seeded.execute(text(insert))
    seeded.execute(text("update offer set version = 7 where code = 'team'"))
    seeded.expire_all()
    assert catalogue.current(seeded, "team").entitlements.encryption == "store"
    with pytest.raises(Refusal, match="says already"):
        publish(seeded, catalogue.current(seeded, "team"))
