"""Support looks into a workspace because its administrator agreed, as long as he agrees: in the whole product."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from playwright.sync_api import Page, expect

from control_plane.embedded.prepared import CONTROL
from tenant_app.contract import SupportGrant, TenantRecord
from tests.journeys.cell import cell_of, organisation_of, postgres, told, wait_until_served
from tests.journeys.looking import assert_sound
from tests.journeys.staff import be_signed_in
from tests.world.chromium import Browser, authenticator
from tests.world.product import Product
from tests.world.stopped import CONTROL_PLANE, PASSWORD, owned, stopped

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

REASON = "Ticket 4711: a folder does not open"
# The promise is a minute; a busy machine is no failure of the product.
PATIENCE = 180


@dataclass
class Scene:
    """An organisation's administrator in his browser, and support in theirs."""

    product: Product
    address: str
    email: str
    organisation: UUID
    admin: Page
    staff: Page
    portal_page: str = ""

    @property
    def workspace(self) -> str:
        return self.product.url(self.address)

    def enter(self) -> None:
        """Support goes in from the portal."""
        self.staff.goto(self.portal_page)
        self.staff.get_by_role("button", name="Enter the workspace").first.click()
        self.staff.wait_for_url(f"{self.workspace}/")

    def ask(self, scope: str = "To read only") -> None:
        self.portal_page = f"{self.product.url('portal')}/organisations/{self.organisation}/support?lang=en"
        self.staff.goto(self.portal_page)
        self.staff.get_by_label("Reason").fill(REASON)
        self.staff.get_by_label(scope).check()
        self.staff.get_by_role("button", name="Ask for access").click()
        expect(self.staff.get_by_text("Waits for consent")).to_be_visible()

    def open_console(self) -> None:
        self.admin.goto(f"{self.workspace}/console?lang=en")
        if "/confirm" in self.admin.url:
            self.admin.get_by_role("button", name="Create a passkey").click()
            expect(self.admin.get_by_text("Passkey of this device").first).to_be_visible()
            self.admin.goto(f"{self.workspace}/console")
        self.admin.get_by_role("button", name="Open the console").click()
        self.admin.wait_for_url("**/console")
        self.admin.goto(f"{self.product.url()}/console?lang=en")

    def accept(self) -> None:
        self.admin.get_by_role("link", name="Support access").first.click()
        self.admin.get_by_role("button", name="Accept").click()
        expect(self.admin.get_by_text("Open until")).to_be_visible()
        wait_until_served(self.product, self.address, lambda record: bool(living(record)))

    def end(self) -> None:
        self.admin.get_by_role("link", name="Support access").first.click()
        self.admin.get_by_role("button", name="End it now").click()
        expect(self.admin.get_by_text("No access is open")).to_be_visible()


def until(true: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Seconds until it is true; too many are a failure."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began <= seconds, f"not within {seconds} s"
        time.sleep(0.1)
    return time.monotonic() - began


def refused(page: Page, url: str) -> bool:
    """Whether this browser's next page is refused."""
    answer = page.goto(url)
    assert answer is not None
    return answer.status == 403 and "This support access has ended" in page.inner_text("body")


@pytest.fixture
def scene(product: Product, browser: Browser) -> Scene:
    address, email = owned(product)
    admin, staff = browser.page(lang="en", bypass_csp=True), browser.page(lang="en", bypass_csp=True)
    authenticator(admin)
    admin.goto(f"{product.url(address)}/sign-in?lang=en")
    admin.get_by_label("E-mail").fill(email)
    admin.get_by_label("Password").fill(PASSWORD)
    admin.get_by_role("button", name="Sign in", exact=True).click()
    admin.wait_for_url(f"{product.url(address)}/")
    be_signed_in(staff, product)
    return Scene(product, address, email, organisation_of(product, address), admin, staff)


def furnish(scene: Scene) -> str:
    """A space with a file; its address."""
    scene.admin.goto(f"{scene.workspace}/spaces")
    scene.admin.get_by_label("Name").fill("Budget")
    scene.admin.get_by_role("button", name="Create the space").click()
    scene.admin.wait_for_url("**/drive/*")
    where = scene.admin.url.partition("?")[0]
    scene.admin.get_by_role("button", name="Upload").click()
    scene.admin.locator("dialog[open] input[type=file]").first.set_input_files(
        {"name": "plan.txt", "mimeType": "text/plain", "buffer": b"the plan"}
    )
    scene.admin.locator("dialog[open]").get_by_role("button", name="Upload").click()
    expect(scene.admin.get_by_role("link", name="plan.txt").first).to_be_visible()
    return where


def test_support_asks_is_let_in_reads_is_refused_to_write_and_is_out_when_it_is_ended(scene: Scene) -> None:
    where = furnish(scene)
    scene.ask()
    assert_sound(scene.staff)
    # Nothing opens yet, and the administrator reads of it.
    assert scene.staff.get_by_role("button", name="Enter the workspace").count() == 0
    mail = mail_about(scene, "asks for access|demande un accès")
    assert REASON in mail["text"]
    link = next(one for one in mail["links"] if "/console" in one)
    assert link == f"{scene.workspace}/console?to=support"
    scene.open_console()
    expect(scene.admin.get_by_text("support asks to look into the workspace")).to_be_visible()
    assert_sound(scene.admin)
    # The mail's own way leads to the request itself.
    scene.admin.goto(link)
    scene.admin.get_by_role("button", name="Open the console").click()
    scene.admin.wait_for_url("**/console/support*")
    scene.accept()
    assert_sound(scene.admin)
    scene.enter()
    banner = scene.staff.get_by_role("status").filter(has_text="Support access")
    expect(banner).to_contain_text("to read only")
    assert_sound(scene.staff)
    scene.staff.goto(where)
    expect(scene.staff.get_by_role("link", name="plan.txt").first).to_be_visible()
    expect(scene.staff.get_by_role("button", name="Upload")).to_have_count(0)
    assert_sound(scene.staff)
    assert write(scene.staff, where) == 403
    with scene.staff.expect_download() as downloaded:
        scene.staff.get_by_role("button", name="Actions on plan.txt").click()
        scene.staff.get_by_role("link", name="Download").first.click()
    assert downloaded.value.path().read_bytes() == b"the plan"
    scene.end()
    seconds = until(lambda: refused(scene.staff, where))
    print(f"from the end of a consent to the refusal of the next page: {seconds:.1f} s")
    # What was looked at is there to be read, and a reload of the portal offers no way in.
    scene.admin.get_by_role("link", name=re.compile(REASON)).first.click()
    for words in ("plan.txt", "Budget", "Downloaded", "Came in"):
        expect(scene.admin.get_by_text(words).first).to_be_visible()
    assert_sound(scene.admin)
    scene.staff.goto(scene.portal_page)
    expect(scene.staff.get_by_role("button", name="Enter the workspace")).to_have_count(0)


def mail_about(scene: Scene, words: str) -> dict[str, Any]:
    """The mail of this subject to the administrator."""
    found: list[dict[str, Any]] = []

    def came() -> bool:
        found[:] = [one for one in scene.product.mails(scene.email) if re.search(words, one["subject"])]
        return bool(found)

    until(came)
    return found[0]


def write(page: Page, where: str) -> int:
    """What a form that no page shows is answered: support makes a folder here."""
    script = """async (where) => {
        const token = document.querySelector('input[name=csrf]').value
        const body = new URLSearchParams({csrf: token, name: 'x'})
        return (await fetch(where + '/folders', {method: 'POST', body})).status
    }"""
    return int(page.evaluate(script, where))


def living(record: TenantRecord) -> tuple[SupportGrant, ...]:
    """The consents that stand."""
    return tuple(one for one in record.identity.support if one.until > datetime.now(UTC))


def shorten(scene: Scene, left: timedelta) -> None:
    """The consent that stands ends so soon, as if it had been given long ago: no consent is for less than 3 hours."""
    of, ends = scene.organisation, datetime.now(UTC) + left
    with psycopg.connect(f"{postgres(scene.product)}/{CONTROL}") as connection:
        living = "organisation_id = %s and ended_at is null and accepted_at is not null"
        connection.execute(f"update support_access set until = %s where {living}".encode(), [ends, of])
    with cell_of(scene.product) as cell:
        record = told(cell, of)
        grants = tuple(msgspec.structs.replace(one, until=ends) for one in record.identity.support)
        assert grants
        identity = msgspec.structs.replace(record.identity, support=grants)
        assert cell.publish(msgspec.structs.replace(record, identity=identity))


def test_without_the_control_plane_nothing_outlives_its_consent(scene: Scene) -> None:
    scene.ask("To read and write")
    scene.open_console()
    scene.accept()
    scene.enter()
    page = f"{scene.workspace}/spaces"
    # The control: while the consent stands, support works without the control plane, too.
    with stopped(scene.product, CONTROL_PLANE):
        assert not refused(scene.staff, page)
        # And ends at its time, which nobody publishes.
        shorten(scene, timedelta(seconds=3))
        seconds = until(lambda: refused(scene.staff, page))
        print(f"from a consent that had 3 s left to the refusal, the control plane stopped: {seconds:.1f} s")
    # Ended while it runs, and then the control plane goes away: it does not come back.
    scene.ask()
    scene.open_console()
    scene.accept()
    scene.enter()
    scene.end()
    until(lambda: refused(scene.staff, page))
    with stopped(scene.product, CONTROL_PLANE):
        assert refused(scene.staff, page)
        with scene.product.client(scene.address, headers={"Accept": "text/html"}) as stranger:
            assert stranger.get("/spaces", follow_redirects=False).status_code in {303, 401}
