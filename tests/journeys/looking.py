"""What every page is held to, wherever a journey passes: axe finds nothing, nothing runs over, nothing complains."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.world.chromium import awake

AXE = Path(__file__).parent.parent.parent / "kit/interface/node_modules/axe-core/axe.min.js"


def violations(page: Page) -> list[Any]:
    """What axe-core finds, with where."""
    awake(page).evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]


def overflow(page: Page) -> int:
    """Pixels that the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def assert_sound(page: Page) -> None:
    """This page, as it stands now, is accessible and fits its window."""
    assert violations(page) == [], page.url
    assert overflow(page) <= 0, page.url
