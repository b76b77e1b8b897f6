"""A workspace in a browser: in by the cookies of somebody signed in, and what axe finds on a page."""

from pathlib import Path
from typing import Any

from tests.workspace.houses import House, Person

AXE = Path(__file__).parents[2] / "kit/interface/node_modules/axe-core/axe.min.js"
RUN_AXE = "async () => (await axe.run()).violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))"


def sign_in(page: Any, house: House, person: Person) -> None:
    cookies = [{"name": c.name, "value": c.value, "url": house.url(person.record)} for c in person.http.cookies.jar]
    page.context.add_cookies([one for one in cookies if one["name"] != "lang"])
