"""With the control plane stopped, members still sign in and work; only administration waits."""

import re
import time

import httpx
import pytest

from tests.world.product import Product
from tests.world.stopped import CONTROL_PLANE, HTML, owned, post, sign_in, stopped


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
        deadline = time.monotonic() + 90
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
