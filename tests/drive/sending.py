"""A browser's part in a direct upload, played by a program: it asks, sends to the store, and says that it is done."""

import ssl
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx

from tests.workspace.houses import Person
from tests.world.product import Loopback

PART = 8 * 1024 * 1024


def digest(body: bytes) -> str:
    return sha256(body).hexdigest()


@dataclass
class Sender:
    """Somebody with a page open: his session, its token, and a client that reaches the store and carries no cookie."""

    person: Person
    token: str
    store: httpx.Client

    @classmethod
    def of(cls, person: Person) -> "Sender":
        ca_file = person.house.store.ca_file
        trust = ssl.create_default_context(cafile=ca_file) if ca_file else True
        store = httpx.Client(transport=Loopback(verify=trust), timeout=60, trust_env=False)
        person.house._clients.append(store)
        return cls(person, person.token(), store)

    def ask(self, path: str, body: Any, method: str = "POST", **headers: str) -> httpx.Response:
        sent = {"X-CSRF-Token": self.token, "Accept": "application/json", **headers}
        return self.person.http.request(method, f"/drive/{path}", json=body, headers=sent)

    def begin(self, where: str, *files: tuple[str, bytes], path: str = "") -> list[dict[str, Any]]:
        """Room for these files; those of one part come with the call that sends them."""
        wanted = [
            {"name": name, "size": len(body), "path": path, "digest": digest(body) if len(body) <= PART else None}
            for name, body in files
        ]
        return self.promised(where, *wanted)

    def begin_with(self, where: str, name: str, body: bytes, digests: list[str]) -> dict[str, Any]:
        """Room for a file of several parts, with the calls that send its first ones."""
        wanted = {"name": name, "size": len(body), "part_bytes": PART, "digests": digests}
        return self.promised(where, wanted)[0]

    def promised(self, where: str, *wanted: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.ask(f"{where}/uploads", {"files": list(wanted)})
        assert answer.status_code == 201, answer.text
        return list(answer.json()["uploads"])

    def allow(self, upload: str, body: bytes, *numbers: int) -> list[dict[str, Any]]:
        """The calls that send these parts."""
        wishes = [{"n": n, "digest": digest(part(body, n))} for n in numbers]
        answer = self.ask(f"uploads/{upload}/parts", {"parts": wishes})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["parts"])

    def put(self, call: dict[str, Any], body: bytes, **headers: str) -> httpx.Response:
        """Send to the store."""
        return self.store.put(call["url"], content=body, headers={**call["headers"], **headers})

    def send_parts(self, upload: str, body: bytes, *numbers: int) -> None:
        for n, call in zip(numbers, self.allow(upload, body, *numbers), strict=True):
            answer = self.put(call, part(body, n))
            assert answer.status_code == 200, answer.text

    def complete(self, *uploads: str) -> list[dict[str, Any]]:
        answer = self.ask("uploads/completion", {"uploads": list(uploads)})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["files"])

    def send(self, where: str, name: str, body: bytes) -> dict[str, Any]:
        """A whole upload; the answer for its file."""
        [begun] = self.begin(where, (name, body))
        if begun["call"] is None:
            self.send_parts(begun["id"], body, *range(1, begun["parts"] + 1))
        else:
            answer = self.put(begun["call"], body)
            assert answer.status_code == 200, answer.text
        [file] = self.complete(begun["id"])
        return file


def part(body: bytes, n: int) -> bytes:
    return body[(n - 1) * PART : n * PART]
