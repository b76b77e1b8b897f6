"""How the tests of the console ask: the page's own token in each form."""

import re
from typing import Any

import httpx


def token_in(answer: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert found, f"the page carries no token: {answer.status_code}"
    return found[1]


def send(client: httpx.Client, path: str, **fields: Any) -> httpx.Response:
    """Send a form as the page would."""
    return client.post(f"/console{path}", data={"csrf": token_in(client.get("/console")), **fields})


def errors_in(answer: httpx.Response) -> dict[str, str]:
    """Field → what is said beside it."""
    pairs = re.findall(r'<p class="error" id="([\w.-]+)-e"[^>]*>.*?<span>(.*?)</span></p>', answer.text, re.DOTALL)
    return dict(pairs)
