"""Pages offer support nothing that would be refused: every form and link of every page, against the table."""

import re
from html.parser import HTMLParser

import pytest

from tests.matrix.support import SUPPORT
from tests.support.consents import agreed, entered
from tests.workspace.houses import House, Person

# Where a person leaves, or what no session is asked for.
ALWAYS = ("POST /sign-out", "GET /static/", "GET #", "GET ?")


class Offers(HTMLParser):
    """What a page offers: `GET /path` of its links, `POST /path` of its forms and buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "a" and got.get("href"):
            self.found.add(f"GET {got['href']}")
        if tag == "form":
            self.found.add(f"{got.get('method', 'get').upper()} {got.get('action', '')}")
        if tag == "button" and got.get("formaction"):
            self.found.add(f"{got.get('formmethod', 'get').upper()} {got['formaction']}")


def offers(page: str) -> set[str]:
    made = Offers()
    made.feed(page)
    return {one for one in made.found if not one.startswith(ALWAYS)}


def refused(offered: set[str], *, writes: bool) -> set[str]:
    """What of it the table does not open."""
    patterns = [
        re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route)) + r"([?#].*)?$")
        for route, access in SUPPORT.items()
        if access == "read" or writes
    ]
    return {one for one in offered if not any(pattern.match(one) for pattern in patterns)}


def furnished(house: House, owner: Person) -> list[str]:
    """Pages of all kinds, with something on each."""
    space = owner.space("Budget")
    folder = owner.folder(space, "Plans")
    owner.put(space, "plan.txt", b"one")
    owner.put(space, "plan.txt", b"two")
    owner.put(space, "gone.txt", b"gone")
    files = {
        name: of
        for of, name in re.findall(r'href="/drive/([0-9a-f-]{36})">([^<]+)</a>', owner.get(f"/drive/{space}").text)
    }
    gone = owner.post(f"/drive/{space}/trash", {"of": files["gone.txt"]})
    assert gone.status_code == 200
    empty = owner.space("Leer")
    drive = [f"/drive/{space}", f"/drive/{folder}", f"/drive/{files['plan.txt']}", f"/drive/{empty}"]
    return ["/", "/spaces", "/members", f"/spaces/{space}", f"/spaces/{space}/trash", *drive]


@pytest.mark.parametrize("writes", [False, True])
def test_pages_offer_support_nothing_that_would_be_refused(house: House, writes: bool) -> None:
    record = house.workspace()
    owner = house.owner(record)
    house.add(record, role=1)
    bare = house.workspace()
    house.owner(bare)
    pages = furnished(house, owner)
    record, grant = agreed(house, record, read_only=not writes)
    bare, other = agreed(house, bare, read_only=not writes)
    staff, beginner = entered(house, record, grant), entered(house, bare, other)
    shown = {page: staff.get(page).text for page in pages} | {
        f"bare {page}": beginner.get(page).text for page in pages[:3]
    }
    for page, html in shown.items():
        assert refused(offers(html), writes=writes) == set(), page
        assert ">(you)<" not in html, page
    written = {one for html in shown.values() for one in offers(html) if one.startswith("POST")}
    assert bool(written) == writes
    # The control: the owner is offered a good deal that support would be refused.
    for page in ("/members", pages[3]):
        assert refused(offers(owner.get(page).text), writes=True), page
