"""`make pictures`: take the README's pictures of the product as it is, with made-up organisations, in Chromium."""

import base64
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyotp
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.world.chromium import Browser, chromium
from tests.world.product import Product, running_product

OUT = Path(__file__).parents[1] / "docs" / "pictures"
TOWNS = ["Sèvres", "Meudon", "Chaville", "Viroflay", "Vélizy", "Garches", "Vaucresson", "Marnes"]
PASSWORD = "quatre pommes vertes sur un parvis"
FILES = {"Budget 2027.ods": 48_000, "Compte rendu du conseil.pdf": 212_000, "Plan de la place.png": 905_000}


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    """Until it is so; a picture of something else is no use."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit("pictures: what they are to show did not come")
        time.sleep(0.2)


def order_towns(product: Product) -> None:
    """A list that looks like somebody's work."""
    with product.api() as api:
        for number, town in enumerate(TOWNS):
            address = town.lower().translate(str.maketrans("éè", "ee"))
            body = {
                "name": f"Mairie de {town}",
                "address": f"ville-{address}",
                "offer": "public-sector" if number % 3 else "team",
                "admin": {"email": f"mairie@{address}.example", "name": "A. Martin"},
            }
            api.post("/organisations", json=body, headers={"Idempotency-Key": f"picture-{number}"}).raise_for_status()
        wait_until(lambda: {one["state"] for one in api.get("/organisations").json()["items"]} == {"live"})
        found = api.get("/organisations").json()["items"]
        suspended = found[3]["id"]
        revision = {"If-Match": api.get(f"/organisations/{suspended}").headers["etag"]}
        reason = {"reason": "Asked by the prefecture on 12 October", "kind": "technical"}
        api.put(f"/organisations/{suspended}/suspension", json=reason, headers=revision).raise_for_status()


def sign_up(product: Product, page: Page) -> None:
    """From the public page into a workspace with some files."""
    page.goto(product.url())
    page.screenshot(path=OUT / "site.png")
    page.goto(product.url() + "/signup")
    page.locator("#email").fill("claire@grandchamp.example")
    page.locator("#organisation").fill("Ville de Grandchamp")
    page.locator("input[value=team]").check()
    page.locator("#terms-yes").check()
    page.wait_for_timeout(800)
    page.screenshot(path=OUT / "signup.png")
    page.get_by_role("button", name="Send me the confirmation link").click()
    page.wait_for_url("**/signup/sent")
    mail = product.wait_for_mail("claire@grandchamp.example")
    page.goto(next(link for link in mail["links"] if "/confirm/" in link))
    page.get_by_role("button", name="Create the workspace").click()
    page.wait_for_url("**/signup/progress/*")
    page.get_by_role("button", name="Enter the workspace").click(timeout=30_000)
    page.wait_for_url("http://ville-de-grandchamp.*/**")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name="Save the password").click()
    page.wait_for_timeout(500)
    page.goto(f"http://ville-de-grandchamp.parvis.localhost:{product.port}/spaces")
    page.locator("#name").fill("Town hall")
    page.get_by_role("button", name="Create the space").click()
    upload(page)
    page.screenshot(path=OUT / "drive.png")


def upload(page: Page) -> None:
    """Put a few files into the space that is open."""
    with tempfile.TemporaryDirectory() as folder:
        for name, size in FILES.items():
            path = Path(folder) / name
            path.write_bytes(b"\0" * size)
            page.locator("[data-upload]").first.click()
            page.locator("#files").set_input_files(path)
            page.locator("#upload").get_by_role("button", name="Upload").click()
            page.get_by_role("link", name=name).wait_for()


def portal(product: Product, page: Page) -> None:
    """The staff's list, and one organisation."""
    with product.api() as api:
        # The workspace's worker counts a few seconds after the last upload.
        path = "/organisations/ville-de-grandchamp/usage"
        wait_until(lambda: (api.get(path).json()["storage_bytes"] or 0) >= sum(FILES.values()))
    staff = product.first_run["staff"]
    page.goto(product.url("portal") + "/sign-in")
    page.locator("#email").fill(staff["email"])
    page.locator("#password").fill(staff["password"])
    page.get_by_role("button", name="Continue").click()
    page.locator("#code").fill(pyotp.TOTP(staff["totp_secret"]).now())
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_timeout(1000)
    page.goto(product.url("portal") + "/organisations")
    page.screenshot(path=OUT / "portal.png")
    page.get_by_role("link", name="Ville de Grandchamp").first.click()
    page.wait_for_timeout(800)
    page.screenshot(path=OUT / "organisation.png")


def overview(page: Page) -> None:
    """Three of the pictures in one."""
    shown = [base64.b64encode((OUT / f"{name}.png").read_bytes()).decode() for name in ("drive", "portal", "site")]
    images = "".join(f'<img src="data:image/png;base64,{one}">' for one in shown)
    style = (
        "body{margin:0;padding:28px;background:#e9e7e2;display:grid;grid-template-columns:2fr 1fr;gap:20px}"
        "img{width:100%;border-radius:10px;box-shadow:0 6px 24px #0003}img:first-child{grid-row:span 2}"
    )
    page.set_viewport_size({"width": 1400, "height": 640})
    page.set_content(f"<style>{style}</style>{images}")
    page.screenshot(path=OUT / "overview.png")


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parvis-pictures-") as folder:
        Path(folder).chmod(0o755)
        with running_product(Path(folder) / "product") as product, chromium() as running:
            browser = Browser(running)
            order_towns(product)
            sign_up(product, browser.page(lang="en"))
            portal(product, browser.page(lang="en"))
            overview(browser.page())
            browser.close()
    print(*sorted(path.name for path in OUT.glob("*.png")), sep="\n")


if __name__ == "__main__":
    main()
