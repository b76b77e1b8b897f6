"""The workspace as people use it, in a real Chromium: first hour, uploads, passkeys, both languages, axe."""

from pathlib import Path

import pytest

from tests.workspace.browsing import AXE, RUN_AXE, sign_in
from tests.workspace.houses import PASSWORD, House
from tests.world.chromium import Browser, authenticator, awake
from tests.world.waiting import eventually

pytestmark = pytest.mark.browser


def test_from_the_ticket_to_a_downloaded_file_in_french(house: House, browser: Browser, tmp_path: Path) -> None:
    record = house.workspace(name="Ville de Saint-Aubin")
    page = browser.page(lang="fr")
    page.goto(f"{house.url(record)}/enter?ticket={house.ticket(record)}")
    page.get_by_label("Nouveau mot de passe").fill(PASSWORD)
    page.get_by_label("Le même encore une fois").fill(PASSWORD)
    page.get_by_role("button", name="Enregistrer le mot de passe").click()
    page.get_by_role("heading", name="Votre première heure").wait_for()
    page.get_by_role("link", name="Créer", exact=True).click()
    page.get_by_label("Nom").fill("Rénovation des écoles")
    page.get_by_role("button", name="Créer l’espace").click()
    page.get_by_text("Ce dossier est vide").wait_for()
    awake(page)

    small, other = tmp_path / "Été à l'école.txt", tmp_path / "deux.bin"
    small.write_bytes(b"bonjour")
    other.write_bytes(b"x" * 3_000_000)
    page.get_by_role("button", name="Envoyer", exact=True).first.click()
    page.get_by_label("Fichiers", exact=True).set_input_files([str(small), str(other)])
    page.locator("dialog[open]").get_by_role("button", name="Envoyer").click()
    page.get_by_text("Tout est envoyé : 2").wait_for()
    # The list and the gauge follow without a reload.
    page.get_by_role("list", name="Contenu du dossier").get_by_role("link", name="Été à l'école.txt").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Télécharger", exact=True).click()
    assert saved.value.suggested_filename == "Été à l'école.txt"
    assert Path(saved.value.path()).read_bytes() == b"bonjour"
    page.goto(house.url(record))
    assert page.get_by_role("progressbar", name="Votre première heure").get_attribute("value") == "4"
    page.get_by_role("button", name="Masquer cette liste").click()
    page.get_by_role("heading", name="Modifiés récemment").wait_for()
    assert page.get_by_role("heading", name="Votre première heure").count() == 0
    assert browser.complaints == []


def test_an_upload_shows_refusals_and_can_be_cancelled(house: House, browser: Browser, tmp_path: Path) -> None:
    record = house.workspace(entitlements={"storage_bytes": 30_000_000})
    owner = house.owner(record)
    space = owner.space()
    page = browser.page()
    sign_in(page, house, owner)
    page.goto(f"{house.url(record)}/drive/{space}?lang=en")
    large, fits = tmp_path / "large.bin", tmp_path / "fits.bin"
    large.write_bytes(b"x" * 31_000_000)
    fits.write_bytes(b"x" * 20_000_000)
    page.get_by_label("Files", exact=True).set_input_files([str(large)])
    page.locator("[data-upload-form]").evaluate("form => form.requestSubmit()")
    page.get_by_text("There is not enough storage").wait_for()
    # Slow the line, so that there is something to cancel.
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 300_000}
    session.send("Network.emulateNetworkConditions", limits)
    page.get_by_label("Files", exact=True).set_input_files([str(fits)])
    page.locator("[data-upload-form]").evaluate("form => form.requestSubmit()")
    page.get_by_role("button", name="Cancel the upload of fits.bin").click()
    page.get_by_text("Cancelled").wait_for()
    eventually(lambda: house.tally(record) == (0, 0))
    house.sweep()
    assert house.objects(record) == {}


def test_files_are_dropped_moved_and_taken_back_from_the_trash(house: House, browser: Browser) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    folder = owner.folder(space, "Archive")
    owner.put(space, "one.txt")
    page = browser.page()
    sign_in(page, house, owner)
    page.goto(f"{house.url(record)}/drive/{space}?lang=en")
    transfer = page.evaluate_handle(
        "() => { const t = new DataTransfer(); t.items.add(new File(['dropped'], 'dropped.txt')); return t; }"
    )
    page.dispatch_event("#main", "drop", {"dataTransfer": transfer})
    page.get_by_role("link", name="dropped.txt").wait_for()
    # What is chosen shows what can be done with it.
    assert not page.get_by_role("toolbar").is_visible()
    page.get_by_label("Choose dropped.txt").check()
    page.get_by_role("toolbar").get_by_role("button", name="Move").click()
    page.get_by_role("link", name="Archive").click()
    page.get_by_role("button", name="Move to “Archive”").click()
    assert page.url.endswith(f"/drive/{folder}?told=moved&n=1")
    page.get_by_role("link", name="dropped.txt").wait_for()
    page.goto(f"{house.url(record)}/drive/{space}")
    page.get_by_role("button", name="Actions on one.txt").click()
    page.get_by_role("button", name="Put in the trash").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="one.txt").wait_for()
    assert browser.complaints == []


def test_a_passkey_is_made_and_opens_the_door(house: House, browser: Browser) -> None:
    record = house.workspace()
    page = browser.page()
    authenticator(page)
    page.goto(f"{house.url(record)}/enter?ticket={house.ticket(record)}&lang=en")
    page.goto(f"{house.url(record)}/welcome?lang=en")
    page.get_by_role("button", name="Create a passkey").click()
    page.get_by_role("heading", name="Your first hour").wait_for()
    assert house.rows(record, "select kind from credential") == [("k",)]
    # The only way in cannot be thrown away.
    page.goto(f"{house.url(record)}/account")
    page.get_by_role("button", name="Remove Passkey of this device").click()
    page.get_by_text("This is your only way to sign in").wait_for()
    page.context.clear_cookies(name="parvis")
    page.goto(f"{house.url(record)}/sign-in?lang=en")
    # The virtual device answers the quiet request of the e-mail field by itself: nothing need be pressed.
    page.get_by_role("heading", name="Your first hour").wait_for()


@pytest.mark.parametrize(
    ("lang", "dark", "phone"), [("fr", False, False), ("en", True, False), ("fr", True, True), ("en", False, True)]
)
def test_axe_finds_nothing_on_any_page(house: House, browser: Browser, lang: str, dark: bool, phone: bool) -> None:
    record = house.workspace(entitlements={"storage_bytes": 1_000_000})
    owner = house.owner(record)
    space = owner.space("Rénovation des écoles")
    file = owner.put(space, "plan.pdf", b"x" * 960_000)
    _, guest_id = house.add(record, 0, email=f"g{lang}{dark}@example.org")
    owner.post(f"/spaces/{space}/people", {"person": str(guest_id), "role": "0"})
    gone = owner.put(space, "old.txt")
    owner.post(f"/drive/{space}/trash", {"of": gone})
    owner.post("/members/invitations", {"emails": "hugo@example.org", "role": "1"})
    token = house.mails(record)[-1][2]["url"].split("token=")[1]
    page = browser.page(lang=lang, dark=dark, phone=phone, bypass_csp=True)

    def check(path: str) -> None:
        page.goto(f"{house.url(record)}{path}{'&' if '?' in path else '?'}lang={lang}")
        page.add_script_tag(path=str(AXE))
        assert page.evaluate(RUN_AXE) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path

    for path in (
        "/sign-in",
        "/forgotten",
        "/reset?token=x",
        "/enter?ticket=x",
        "/join?token=x",
        f"/join?token={token}",
    ):
        check(path)
    sign_in(page, house, owner)
    for path in ("/", f"/drive/{space}", f"/drive/{file}", f"/drive/{file}/name", f"/drive/{space}/moving?of={file}",
                 f"/spaces/{space}", f"/spaces/{space}/trash", "/spaces", "/members", "/account", "/account/codes",
                 f"/drive/{space}?told=trashed&of={gone}"):  # fmt: skip
        check(path)


HOSTILE = {
    "page.html": b"<script>document.title='ran';fetch('/beacon')</script>",
    "image.svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="fetch(1)"><script>fetch("/beacon")</script></svg>',
    "doc.xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>document.title="ran"</script></html>',
    "style.xml": b'<?xml-stylesheet href="data:text/xsl,x"?><x xmlns="http://www.w3.org/1999/xhtml"><script>1</script></x>',
    "plain.txt": b"<html><script>document.title='ran'</script>",
    "noname": b"<!doctype html><script>document.title='ran'</script>",
    "a.mhtml": b"MIME-Version: 1.0\nContent-Type: text/html\n\n<script>document.title='ran'</script>",
    "gif.gif": b"GIF89a<script>document.title='ran'</script>",
    "x.htm;.jpg": b"<script>document.title='ran'</script>",
    "x.shtml": b"<script>document.title='ran'</script>",
}


def test_no_script_of_an_uploaded_file_runs(house: House, browser: Browser) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    page = browser.page()
    sign_in(page, house, owner)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name, body in HOSTILE.items():
        file = owner.put(space, name, body)
        page.goto(f"{house.url(record)}/drive/{space}")
        with page.expect_download():
            page.evaluate("path => { location.href = path }", f"/drive/{file}/content")
        # Framed or embedded, it is refused as well.
        page.evaluate(
            "path => { for (const tag of ['iframe', 'embed', 'object']) { const e = document.createElement(tag);"
            " e.src = e.data = path; document.body.append(e); } }",
            f"/drive/{file}/content",
        )
        page.wait_for_timeout(100)
        assert page.title() != "ran"
    assert not [url for url in asked if "beacon" in url]


def test_the_control_a_file_sent_as_a_page_would_run(browser: Browser) -> None:
    """If this did not run, the test above would prove nothing."""
    page = browser.page()
    page.route("http://control.localhost/**", lambda r: r.fulfill(body=HOSTILE["page.html"], content_type="text/html"))
    page.goto("http://control.localhost/page.html")
    assert page.title() == "ran"
