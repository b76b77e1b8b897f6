"""A second real provider, npm's saml-idp, in Chromium: another library's forms and signatures bring people in."""

import base64
from pathlib import Path
from uuid import uuid4

import pytest

from kit import saml
from kit.saml import ServiceProvider
from tenant_app.contract import Identity, SignInConnection
from tests.saml.said import our_key
from tests.sso.providers import DOMAIN, sealed_key
from tests.workspace.houses import House
from tests.world.chromium import Browser
from tests.world.saml_idp import running_saml_idp

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("sign_response", [False, True])
def test_a_person_comes_in_through_another_library_s_pages(
    house: House, browser: Browser, tmp_path: Path, *, sign_response: bool
) -> None:
    address, made = f"second-{uuid4().hex[:6]}", uuid4()
    base = f"http://{address}.parvis.localhost:{house.port}/saml/{made}/"
    service = ServiceProvider(base + "metadata", base + "acs", base + "slo", (our_key(),))
    with running_saml_idp(tmp_path / "provider", service) as provider:
        provider.use(sign_response=sign_response)
        read = saml.read_metadata(provider.metadata())
        settings = {
            "entity_id": read.entity_id,
            "sso_url": read.sso_url,
            "sso_binding": read.sso_binding,
            "slo_url": read.slo_url,
            "certificates": [base64.b64encode(one).decode() for one in read.certificates],
            "keys": [sealed_key(made)],
        }
        connection = SignInConnection(
            id=made,
            kind="saml",
            name="Second ID",
            stage="enforced",
            domains=(DOMAIN,),
            attributes={"email": "email", "name": "displayName"},
            settings=settings,
        )
        record = house.workspace(address, identity=Identity(connections=(connection,), domains=(DOMAIN,)))
        page = browser.page(lang="en")
        page.goto(f"{house.url(record)}/account")
        page.get_by_role("link", name="Continue with Second ID").click()
        page.locator("#userName").fill("carol")
        page.locator("#email").fill(f"carol@{DOMAIN}")
        page.locator("#displayName").fill("Carol Díaz")
        page.locator("#btn-sign-in").click()
        page.wait_for_url(f"{house.url(record)}/account")
        assert house.rows(record, "select name, email from principal where role < 3") == [
            ("Carol Díaz", f"carol@{DOMAIN}")
        ]
        assert house.rows(record, "select subject from identity_link") == [("carol",)]
        # Its own page, not ours, wants a font from elsewhere, which it does not get.
        assert {one.split("/")[2] for one in browser.left} <= {"fonts.googleapis.com"}
        browser.left.clear()
