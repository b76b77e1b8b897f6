"""Consents of a workspace's administrators, and staff of the provider who come in by them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from kit.ids import new_id
from tenant_app.contract import Identity, SupportGrant, TenantRecord
from tests.workspace.houses import House, Person

INES = UUID("0197b2a4-1111-7000-8000-000000000001")


def grant_of(record: TenantRecord, **options: Any) -> SupportGrant:
    until = options.pop("until", datetime.now(UTC) + timedelta(hours=4))
    return SupportGrant(
        id=new_id(),
        staff_id=INES,
        staff_name="Inès Bakkali",
        administrator_id=options.pop("administrator_id", record.organisation_id),
        until=until,
        **options,
    )


def agreed(house: House, record: TenantRecord, **options: Any) -> tuple[TenantRecord, SupportGrant]:
    """The record with a consent of its owner's in it."""
    grant = grant_of(record, **options)
    return house.change(record, identity=Identity(support=(grant,))), grant


def entered(house: House, record: TenantRecord, grant: SupportGrant) -> Person:
    """Staff with a browser, come in by the ticket of this grant."""
    staff = house.stranger(record)
    answer = staff.get("/enter", params={"ticket": house.ticket(record, grant.id, purpose="support")})
    assert answer.url.path == "/", answer.text
    return staff


def refused(answer: httpx.Response, code: str) -> None:
    assert answer.json()["code"] == code, answer.text
