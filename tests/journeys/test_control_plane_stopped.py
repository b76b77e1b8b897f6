"""With the control plane stopped, members still sign in and work; only administration waits."""

import itertools
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from tests.world.product import Product

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
        os.kill(pid, signal.SIGSTOP)
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
    with product.client(follow_redirects=True, headers=HTML) as visitor:
        door = visitor.get(link)
        welcome = post(visitor, door.url.path, door)
        fields = re.findall(r'name="([a-z_]+)" type="password"|type="password" name="([a-z_]+)"', welcome.text)
        post(visitor, "/welcome", welcome, **{one or other: PASSWORD for one, other in fields})
    return address, email


def sign_in(product: Product, client: httpx.Client, email: str) -> httpx.Response:
    return post(client, "/sign-in", client.get("/sign-in"), email=email, password=PASSWORD)


def test_members_sign_in_and_work_while_the_control_plane_is_stopped(product: Product) -> None:
    address, email = owned(product)
    with stopped(product, CONTROL_PLANE):
        with pytest.raises(httpx.TimeoutException), product.client("portal", timeout=2) as portal:
            portal.get("/healthz")
        with product.client(address, follow_redirects=True, headers=HTML) as member:
            home = sign_in(product, member, email)
            assert "Anne" in home.text
            spaces = post(member, "/spaces", member.get("/spaces"), name="Conseil municipal")
            assert "Conseil municipal" in spaces.text
            folder = re.search(r'action="(/drive/[0-9a-f-]+)/files"', spaces.text)
            assert folder, spaces.text
            token = re.search(r'name="csrf" value="([^"]*)"', spaces.text)
            assert token
            sent = member.post(
                f"{folder[1]}/files",
                data={"csrf": token[1]},
                files={"files": ("vote.txt", b"pour : 12\n", "text/plain")},
                headers={"Origin": product.url(address)},
            )
            assert "vote.txt" in sent.text
    with product.client("portal") as portal:
        deadline = time.monotonic() + 20
        while portal.get("/sign-in").status_code != 200:
            assert time.monotonic() < deadline


def test_without_the_tenant_app_nobody_gets_in(product: Product) -> None:
    """The broken control: were the workspace served from elsewhere, the test above would prove nothing."""
    address, _ = owned(product)
    with (
        stopped(product, ("tenant-app",)),
        pytest.raises(httpx.TimeoutException),
        product.client(address, timeout=2) as member,
    ):
        member.get("/sign-in")
