"""In the whole product, with the control plane stopped: people still sign in by their organisation's provider."""

import json
import time
from uuid import UUID

import httpx
import msgspec

from tenant_app.contract import CellDatabase, TenantRecord
from tenant_app.tenancy import read_cell_file
from tests.sso.providers import Paper, asked_in, paper
from tests.world.product import Product
from tests.world.stopped import CONTROL_PLANE, owned, stopped


def published(product: Product, address: str) -> tuple[TenantRecord, Paper]:
    """The workspace's record, told of a connection as the control plane tells it."""
    drawn = json.loads((product.var / "secrets.json").read_text())
    admin = f"postgresql://postgres:{drawn['postgres_password']}@127.0.0.1:{drawn['postgres_port']}/parvis_cell_1"
    with product.api() as api:
        organisation = UUID(api.get(f"/organisations/{address}").raise_for_status().json()["id"])
    database = CellDatabase(admin)
    try:
        found = database.inspect(organisation).record
        assert found is not None
        provider = paper(seals=read_cell_file(product.var / "cell.json").seals)
        record = msgspec.structs.replace(found, identity=provider.identity(), generation=found.generation + 1)
        database.publish(record)
    finally:
        database.close()
    return record, provider


def test_people_come_in_by_saml_while_the_control_plane_is_stopped(product: Product) -> None:
    address, _ = owned(product)
    record, provider = published(product, address)
    with stopped(product, CONTROL_PLANE), product.client(address, headers={"Accept": "text/html"}) as browser:
        begin = f"/sso/{provider.connection.id}"
        deadline = time.monotonic() + 90
        sent: httpx.Response = browser.get(begin)
        while sent.status_code == 404 and time.monotonic() < deadline:
            time.sleep(0.1)
            sent = browser.get(begin)
        base = f"{product.url(address)}/saml/{provider.connection.id}/"
        form = provider.form(base, asked_in(sent))
        answer = browser.post(f"/saml/{provider.connection.id}/acs", data=form, follow_redirects=True)
        assert answer.status_code == 200, answer.text[:800]
        assert answer.url.path == "/"
        assert record.name in answer.text
