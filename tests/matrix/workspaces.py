"""A workspace of the running product with people of every role, each signed in."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from kit.credentials import new_token, token_hash
from kit.ids import new_id
from tests.world.product import Product

RANKS = {"guest": 0, "member": 1, "administrator": 2, "owner": 3}
PLACES = re.compile(r"\{(\w+)\}")
NOWHERE = UUID("0197b2a4-0000-7000-8000-000000000000")


@dataclass
class Workspace:
    """One organisation's workspace, and the cookies of its people."""

    product: Product
    address: str
    cookies: dict[str, str]
    tokens: dict[str, str]

    def ask(self, route: str, cookie: str | None, page_token: str = "") -> tuple[int, str]:
        """Status and, of a refusal, its code."""
        method, _, path = route.partition(" ")
        path = PLACES.sub(lambda place: "1" if place[1] == "n" else str(NOWHERE), path)
        headers = {"Accept": "application/json", "X-CSRF-Token": page_token}
        if cookie:
            headers["Cookie"] = f"parvis={cookie}"
        with self.product.client(self.address) as client:
            # The one door that wants a form with files and its token in it, before it asks who is there.
            files = {"file": ("a.txt", b"a")} if route.startswith("POST") and path.endswith("/files") else None
            form = {"csrf": page_token} if files else None
            answer = client.request(method, path, headers=headers, data=form, files=files, follow_redirects=False)
        told = answer.content and "problem+json" in answer.headers.get("content-type", "")
        return answer.status_code, str(answer.json().get("code", "")) if told else ""

    def page_token(self, cookie: str) -> str:
        """The token against forged writes, as a page carries it."""
        with self.product.client(self.address) as client:
            page = client.get("/account", headers={"Cookie": f"parvis={cookie}"})
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert found, page.text[:500]
        return found[1]


@contextmanager
def cell(product: Product) -> Iterator["psycopg.Connection[Any]"]:
    import json

    drawn = json.loads((product.var / "secrets.json").read_text())
    address = f"host=127.0.0.1 port={drawn['postgres_port']} user=postgres password={drawn['postgres_password']}"
    with psycopg.connect(f"{address} dbname=parvis_cell_1") as connection:
        yield connection


def open_workspace(product: Product, address: str) -> Workspace:
    """An organisation of its own, with one person of each role, each signed in; and one whose session has ended."""
    order = {
        "name": "Ville",
        "address": address,
        "offer": "team",
        "admin": {"email": f"c@{address}.example", "name": "Camille"},
    }
    with product.api() as api:
        made = api.post("/organisations", json=order).json()
        operation = made["operation"]
        while operation["state"] in ("pending", "running"):
            time.sleep(0.1)
            operation = api.get(f"/operations/{operation['id']}").raise_for_status().json()
        assert operation["state"] == "succeeded", operation
    product.wait_until_served(address)
    cookies = {}
    with cell(product) as connection:
        found = connection.execute(
            "select slot from directory.tenant where organisation_id = %s", [made["organisation"]["id"]]
        ).fetchone()
        assert found
        connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(found[0])))
        for role in (*RANKS, "expired"):
            cookies[role] = _sign_in(connection, role)
    return Workspace(product, address, cookies, {})


def _sign_in(connection: "psycopg.Connection[Any]", role: str) -> str:
    person, token = new_id(), new_token()
    rank = RANKS.get(role, 3)
    connection.execute(
        "insert into principal (id, kind, name, email, role) values (%s, %s, %s, %s, %s)",
        [person, "m" if rank else "g", role, f"{role}@people.example", rank],
    )
    connection.execute(
        "insert into credential (id, principal_id, kind, secret) values (%s, %s, 'p', 'none')", [new_id(), person]
    )
    connection.execute(
        "insert into session (hash, id, principal_id, expires_at) values (%s, %s, %s, now() + %s::interval)",
        [token_hash(token).hex(), new_id(), person, "-1 minute" if role == "expired" else "1 hour"],
    )
    return token
