"""Layouts, components, error pages and the files that pages load."""

import gzip
import json
import re
from collections.abc import Iterator

import brotli
import pytest
import zstandard
from litestar import Litestar, Request, Response, get
from litestar.params import FromPath
from litestar.testing import TestClient

from kit.errors import Refusal
from kit.interface import asset, check, error_page, page, render, static_app, workspace_state_page
from kit.interface.assets import fingerprinted, sources
from kit.interface.errors import WORDS
from kit.interface.pages import environment, gauge, icon
from kit.web import Frame, exception_handlers

FACES = {
    "layouts/public.html": "public",
    "layouts/entry.html": "entry",
    "layouts/portal.html": "portal",
    "layouts/workspace.html": "workspace",
}
COMMON = {"csrf": "", "path": "/", "other_locale": "fr", "other_locale_url": "?lang=fr"}
NO_SUCH_FACE = {"suspended", "closing", "read_only"}


@get("/boom/{status:int}", sync_to_thread=False)
def boom(status: FromPath[int]) -> None:
    if status >= 500:
        raise RuntimeError("a detail that nobody outside may read")
    raise Refusal("told", "This session has ended, {name}.", status=status, name="<i>you</i>")


@get("/state/{kind:str}", sync_to_thread=False)
def state_of(request: Request, kind: FromPath[str]) -> Response[str]:  # type: ignore[type-arg]
    return workspace_state_page(request, kind, name="Menuiserie <Ferrand>")


@get("/page", sync_to_thread=False)
def some_page(request: Request) -> Response[str]:  # type: ignore[type-arg]
    return page(request, "layouts/entry.html")


@pytest.fixture
def client() -> Iterator[TestClient[Litestar]]:
    app = Litestar(
        [boom, state_of, some_page, static_app],
        exception_handlers=exception_handlers(error_page),
        openapi_config=None,
        logging_config=None,
    )
    with TestClient(app=Frame(app), raise_server_exceptions=False) as made:  # type: ignore[type-var]
        made.headers["accept"] = "text/html"
        yield made


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("layout", FACES)
def test_every_layout_names_its_face_and_language_and_leads_to_the_content(layout: str, locale: str) -> None:
    drawn = render(locale, layout, **COMMON)
    assert f'<html lang="{locale}">' in drawn
    assert f'data-face="{FACES[layout]}"' in drawn
    assert 'href="#main"' in drawn
    assert 'id="main"' in drawn
    assert ("Aller au contenu" in drawn) == (locale == "fr")


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("status", [403, 404, 410, 429, 500])
def test_an_error_page_says_why_and_the_cure_in_the_reader_s_language(
    client: TestClient[Litestar], status: int, locale: str
) -> None:
    answer = client.get(f"/boom/{status}", headers={"accept-language": locale})
    assert answer.status_code == status
    title = environment(locale).from_string("{{ _(title) }}").render(title=WORDS[status].title)
    assert title in answer.text
    assert f'lang="{locale}"' in answer.text
    assert "a detail that nobody outside may read" not in answer.text


def test_a_refusal_s_own_words_stand_on_the_page_escaped(client: TestClient[Litestar]) -> None:
    assert "This session has ended, &lt;i&gt;you&lt;/i&gt;." in client.get("/boom/403").text


def test_a_page_that_does_not_exist_tells_nothing_more(client: TestClient[Litestar]) -> None:
    foreign, absent = client.get("/boom/404"), client.get("/nowhere")
    assert re.sub(r"\?lang=fr|/boom/404|/nowhere", "", foreign.text) == re.sub(
        r"\?lang=fr|/boom/404|/nowhere", "", absent.text
    )


def test_a_failure_gives_the_number_that_stands_in_the_logs(client: TestClient[Litestar]) -> None:
    answer = client.get("/boom/500")
    assert answer.headers["x-request-id"] in answer.text


@pytest.mark.parametrize("state", sorted(NO_SUCH_FACE))
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_a_workspace_that_is_not_live_says_so(client: TestClient[Litestar], state: str, locale: str) -> None:
    answer = client.get(f"/state/{state}", headers={"accept-language": locale})
    assert answer.status_code == 403
    assert "Menuiserie &lt;Ferrand&gt;" in answer.text


def test_choosing_a_language_is_remembered_by_a_cookie(client: TestClient[Litestar]) -> None:
    assert 'lang="fr"' in client.get("/page?lang=fr").text
    assert 'lang="fr"' in client.get("/page", headers={"accept-language": "en"}).text


def test_a_link_to_the_other_language_keeps_the_rest_of_the_address(client: TestClient[Litestar]) -> None:
    assert 'href="?q=a%26b&amp;lang=fr"' in client.get("/page?q=a%26b&lang=en").text


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br, zstd", "br"), ("zstd, gzip", "zstd"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("", None)],
)
def test_files_are_served_in_the_best_form_the_browser_takes(
    client: TestClient[Litestar], accepted: str, encoding: str | None
) -> None:
    with client.stream("GET", asset("parvis.css"), headers={"accept-encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == encoding
    assert "immutable" in answer.headers["cache-control"]
    unpack = {"br": brotli.decompress, "zstd": zstandard.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
    assert unpack(raw).startswith(b"/* Parvis")


def test_a_file_that_is_not_served_is_not_found(client: TestClient[Litestar]) -> None:
    for path in ("/static/parvis.css", "/static/../pyproject.toml", "/static/%2e%2e/icons.py", "/static/"):
        assert client.get(path).status_code == 404


def test_the_style_sheet_stays_small() -> None:
    packed = brotli.compress(client_bytes("parvis.css"), quality=11)
    assert len(packed) < 10_000


def client_bytes(name: str) -> bytes:
    with TestClient(Litestar([static_app], openapi_config=None)) as client:
        return client.get(asset(name), headers={"accept-encoding": "identity"}).content


def test_modules_import_one_another_by_their_fingerprints() -> None:
    made = fingerprinted({"a.js": b'import { b } from "./b.js";', "b.js": b"export const b = 1;"})
    assert made["b.js"][0].encode() in made["a.js"][1]
    changed = fingerprinted({"a.js": b'import { b } from "./b.js";', "b.js": b"export const b = 2;"})
    assert changed["a.js"][0] != made["a.js"][0]


def test_modules_that_import_in_a_circle_are_refused() -> None:
    with pytest.raises(SystemExit, match="circle"):
        fingerprinted({"a.js": b'import "./b.js";', "b.js": b'import "./a.js";'})


def test_an_icon_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(LookupError, match="no icon"):
        icon("unicorn")


def test_a_gauge_never_overflows_and_warns_before_it_is_full() -> None:
    assert 'data-tone="warn"' in gauge([60, 32], 100, "Storage")
    full = gauge([90, 90], 100, "Storage")
    assert 'data-tone="bad"' in full
    assert sum(float(width) for width in re.findall(r'width="([\d.]+)%"', full)) == pytest.approx(100)
    assert 'aria-valuenow="0"' in gauge(5, None, "No limit")


def test_the_style_of_htmx_is_never_inlined() -> None:
    for layout in ("layouts/portal.html", "layouts/workspace.html"):
        found = re.search(r"name=\"htmx-config\" content='([^']+)'", render("en", layout, **COMMON))
        assert found
        assert json.loads(found[1])["includeIndicatorCSS"] is False


@pytest.mark.parametrize(
    "bad",
    [
        '<p style="color: red">',
        "<script>alert(1)</script>",
        '<button onclick="go()">',
        '<b hx-on:click="go()">',
        "<b hx-vals='js:{a: 1}'>",
        '<b hx-trigger="click[event.ctrlKey]">',
        '<img src="https://elsewhere.example/x.png">',
    ],
)
def test_what_the_content_policy_refuses_is_found_in_templates(bad: str) -> None:
    assert list(check.policy([("page.html", bad)]))
    assert not list(check.policy([("page.html", '<a class="button" href="/sign-in">In</a>')]))


def test_icons_and_files_that_do_not_exist_are_found_in_templates() -> None:
    page_with = [("page.html", '{{ icon("unicorn") }}{{ asset("nowhere.js") }}{{ icon("home") }}')]
    assert len(list(check.names(page_with))) == 2


@pytest.mark.parametrize("what", check.CHECKS)
def test_the_interface_is_whole(what: str) -> None:
    assert list(check.CHECKS[what]()) == []


def test_our_own_scripts_stay_within_their_budget() -> None:
    lines = [line for path in sources().values() if path.suffix == ".js" for line in path.read_text().splitlines()]
    assert len(lines) <= 5000


def test_no_page_loads_more_than_60_kb_of_script() -> None:
    # Everything that exists is less than what one page may load.
    whole = b"".join(client_bytes(name) for name in (*sources(), "htmx.js") if name.endswith(".js"))
    assert len(gzip.compress(whole, 9)) <= 60_000
