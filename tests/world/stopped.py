"""The product with parts of it stopped, and an organisation in it whose owner has a password."""

import itertools
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil

from tests.world.product import Product
from tests.world.waiting import freeze

PASSWORD = "quatre pommes vertes sur un parvis"
CONTROL_PLANE = ("control-plane", "worker", "sweep")
HTML = {"Accept": "text/html"}
_numbers = itertools.count(1)


@contextmanager
def stopped(product: Product, parts: tuple[str, ...]) -> Iterator[None]:
    """These parts and what they started answer nothing until the block ends; dead ones would be started again."""
    held: list[int] = []
    for name, pid in product.pids().items():
        if name in parts:
            held += [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    assert held
    for pid in held:
        freeze(pid)
    try:
        yield
    finally:
        for pid in held:
            os.kill(pid, signal.SIGCONT)


def post(client: httpx.Client, path: str, page: httpx.Response, **values: str) -> httpx.Response:
    """Send a form as the page that showed it would."""
    token = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert token, page.text[:800]
    origin = f"{page.url.scheme}://{page.url.host}:{page.url.port}"
    answer = client.post(f"{origin}{path}", data={"csrf": token[1], **values}, headers={"Origin": origin})
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:800])
    return answer


def owned(product: Product) -> tuple[str, str]:
    """An organisation whose owner has a password: its address and the owner's e-mail."""
    address = f"sans-plan-{next(_numbers)}"
    email = f"maire@{address}.example"
    body = {"name": "Ville", "address": address, "offer": "team", "admin": {"email": email, "name": "Anne Martin"}}
    with product.api() as api:
        assert api.post("/organisations", json=body).status_code == 202
    link = next(link for link in product.wait_for_mail(email)["links"] if "/enter/" in link)
    product.wait_until_served(address)
    with product.client(follow_redirects=True, headers=HTML) as visitor:
        door = visitor.get(link)
        welcome = post(visitor, door.url.path, door)
        fields = re.findall(r'name="([a-z_]+)" type="password"|type="password" name="([a-z_]+)"', welcome.text)
        post(visitor, "/welcome", welcome, **{one or other: PASSWORD for one, other in fields})
    return address, email


def sign_in(product: Product, client: httpx.Client, email: str) -> httpx.Response:
    return post(client, "/sign-in", client.get("/sign-in"), email=email, password=PASSWORD)
