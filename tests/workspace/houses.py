"""Workspaces for tests: the tenant app as a process of its own, on a real cell with a real store."""

import base64
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import psycopg

from control_plane.embedded.ports import free_port
from kit.vault import Vault
from tenant_app.contract import KeyPair, TenantRecord, mint, new_key
from tests.world import stores
from tests.world.cells import Cell
from tests.world.product import Loopback
from tests.world.stores import SECRET, Store

CELL_KEY = bytes(range(100, 132))
PASSWORD = "Verger-Tandem-Hublot-19"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
GENEROUS = {
    "storage_bytes": 10_000_000_000,
    "members": None,
    "guests": None,
    "spaces": None,
    "file_bytes": 2_000_000_000,
}


@dataclass
class Person:
    """Somebody with a browser of his own (an HTTP client that keeps cookies and follows redirects)."""

    house: "House"
    record: TenantRecord
    http: httpx.Client
    email: str = ""

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def token(self, path: str = "/account") -> str:
        """The token that a page's forms carry."""
        found = CSRF.search(self.get(path).text)
        assert found, "no form on this page"
        return unescape(found[1])

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, csrf: str | None = None, **options: Any
    ) -> httpx.Response:
        """Send a form as a page of this workspace would."""
        return self.http.post(path, data={"csrf": self.token() if csrf is None else csrf, **(data or {})}, **options)

    def space(self, name: str = "Projets") -> str:
        answer = self.post("/spaces", {"name": name})
        assert answer.status_code == 200, answer.text
        return answer.url.path.rpartition("/")[2]

    def upload(
        self, where: str, name: str, body: Any = b"content", *, csrf: str | None = None, **options: Any
    ) -> httpx.Response:
        headers = {"X-CSRF-Token": self.token() if csrf is None else csrf, **options.pop("headers", {})}
        params = {"name": name, **options.pop("params", {})}
        return self.http.put(f"/drive/{where}/files", params=params, content=body, headers=headers, **options)

    def put(self, where: str, name: str, body: Any = b"content", **options: Any) -> str:
        """Upload and give the file's id."""
        answer = self.upload(where, name, body, **options)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def folder(self, where: str, name: str) -> str:
        answer = self.post(f"/drive/{where}/folders", {"name": name})
        assert answer.status_code == 200, answer.text
        found = self.house.rows(
            self.record, "select id from node where name = %s and kind = 'd' order by id desc", name
        )
        return str(found[0][0])

    def client(self) -> httpx.Client:
        """Another client with the same cookies, for a thread of its own."""
        other = self.house.client(self.record)
        for cookie in self.http.cookies.jar:
            other.cookies.set(cookie.name, cookie.value or "")
        return other


@dataclass
class House:
    """A running tenant app with its cell; `workspace()` orders one."""

    cell: Cell
    folder: Path
    store: Store
    port: int
    process: "subprocess.Popen[bytes]"
    key: KeyPair
    _clients: list[httpx.Client] = field(default_factory=list)

    def workspace(self, address: str | None = None, **options: Any) -> TenantRecord:
        organisation_id = uuid4()
        name = f"org-{organisation_id.hex}"
        address = address or f"a{organisation_id.hex[:12]}"
        origin = f"http://{address}.parvis.localhost:{self.port}"
        key_id = self.store.open(name, quota=options.pop("hard_quota", None), origin=origin)
        entitlements = GENEROUS | options.pop("entitlements", {})
        record = self.cell.tenant(
            address,
            organisation_id=organisation_id,
            entitlements=entitlements,
            store={
                "bucket": name,
                "key_id": key_id,
                "secret_sealed": Vault(CELL_KEY).seal_alike(SECRET, f"store:{name}"),
                **options.pop("store", {}),
            },
            **options,
        )
        self.wait_for(record.hosts[0])
        return record

    def change(self, record: TenantRecord, **fields: Any) -> TenantRecord:
        """Publish another state of the record, and wait until the app knows it."""
        changed = msgspec.structs.replace(record, generation=record.generation + 1, **fields)
        # A host of the same record, of which nobody else knows: once it is served, all the rest is.
        passing = f"{uuid4().hex}.parvis.localhost"
        self.cell.database.publish(msgspec.structs.replace(changed, hosts=(*changed.hosts, passing)))
        self.wait_for(passing)
        return changed

    def client(self, record: TenantRecord, **options: Any) -> httpx.Client:
        lang = options.pop("lang", "en")
        made = httpx.Client(
            transport=Loopback(),
            base_url=self.url(record),
            timeout=60,
            trust_env=False,
            follow_redirects=True,
            headers={"Accept": "text/html", "Accept-Language": lang},
            **options,
        )
        made.cookies.set("lang", lang)
        self._clients.append(made)
        return made

    def url(self, record: TenantRecord) -> str:
        return f"http://{record.hosts[0]}:{self.port}"

    def stranger(self, record: TenantRecord, lang: str = "en") -> Person:
        """Somebody who is not signed in."""
        return Person(self, record, self.client(record, lang=lang))

    def ticket(self, record: TenantRecord, principal: UUID | None = None, **options: Any) -> str:
        return mint(
            self.key.private,
            options.pop("host", record.hosts[0]),
            options.pop("organisation", record.organisation_id),
            principal or record.organisation_id,
            options.pop("purpose", "first_sign_in"),
            **options,
        )

    def owner(self, record: TenantRecord) -> Person:
        """The owner, come in by a ticket, with a password."""
        person = self.stranger(record)
        answer = person.get("/enter", params={"ticket": self.ticket(record)})
        assert answer.url.path == "/welcome", answer.text
        token = person.token("/welcome")
        answer = person.post("/welcome", {"password": PASSWORD, "repeated": PASSWORD}, csrf=token)
        assert answer.url.path == "/", answer.text
        person.email = f"{record.address}@example.org"
        return person

    def add(
        self, record: TenantRecord, role: int = 1, name: str = "Léa Wagner", email: str | None = None
    ) -> tuple[Person, UUID]:
        """Somebody with this role, signed in by ticket and with a password of his own (set by SQL)."""
        person_id = uuid4()
        email = email or f"p{person_id.hex[:10]}@example.org"
        owner_secret = self.rows(record, "select secret from credential where kind = 'p' limit 1")
        secret = owner_secret[0][0] if owner_secret else "x"
        self.rows(
            record,
            "insert into principal (id, kind, name, email, role) values (%s, %s, %s, %s, %s)",
            person_id,
            "g" if role == 0 else "m",
            name,
            email,
            role,
        )
        self.rows(
            record,
            "insert into credential (id, principal_id, kind, secret) values (%s, %s, 'p', %s)",
            uuid4(),
            person_id,
            secret,
        )
        person = self.stranger(record)
        answer = person.get("/enter", params={"ticket": self.ticket(record, person_id)})
        assert answer.url.path == "/", answer.text
        person.email = email
        return person, person_id

    def rows(self, record: TenantRecord, statement: str, *values: Any) -> list[Any]:
        """Run a statement in a tenant's schema, as the administrator."""
        with psycopg.connect(self.cell.admin_url, autocommit=True) as connection:
            connection.execute(f"set search_path = {record.slot}".encode())
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def tally(self, record: TenantRecord) -> tuple[int, int]:
        """Bytes used and bytes reserved."""
        found = dict(self.rows(record, "select key, value from tally"))
        return found["storage_used"], found["storage_reserved"]

    def objects(self, record: TenantRecord) -> dict[str, int]:
        """What lies in the store: id → bytes."""
        return stores.objects(self.store, record.store["bucket"], record.store["key_id"])

    def unfinished(self, record: TenantRecord) -> list[str]:
        """Uploads in parts that the store still has, by the id of what they would become."""
        return stores.unfinished(self.store, record.store["bucket"], record.store["key_id"])

    def mails(self, record: TenantRecord) -> list[tuple[str, str, dict[str, Any]]]:
        """What waits in the outbox: kind, recipient, payload, oldest first."""
        return self.cell.sql(
            "select kind, recipient, payload from directory.mail where organisation_id = %s order by created_at, id",
            record.organisation_id,
        )

    def wait_for(self, host: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        with httpx.Client(transport=Loopback(), trust_env=False, timeout=60) as client:
            while time.monotonic() < deadline:
                if client.get(f"http://{host}:{self.port}/sign-in").status_code != 404:
                    return
                time.sleep(0.02)
        raise AssertionError(f"{host} is not served")

    def processor_seconds(self) -> float:
        """What the app has used of the processor: unlike time, it is the same on a busy machine."""
        import psutil

        parent = psutil.Process(self.process.pid)
        times = [one.cpu_times() for one in [parent, *parent.children(recursive=True)]]
        return sum(one.user + one.system for one in times)

    def memory(self) -> int:
        """Resident bytes of the app's workers."""
        import psutil

        parent = psutil.Process(self.process.pid)
        return sum(one.memory_info().rss for one in [parent, *parent.children(recursive=True)])

    def sweep(self, **env: str) -> None:
        """One round of the worker, now."""
        answer = subprocess.run(
            [sys.executable, "-m", "tenant_app.worker", "--once"],
            env={**self.env(), "PARVIS_SMTP_URL": "smtp://127.0.0.1:9", **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        print(answer.stderr, file=sys.stderr)

    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
        return {
            **kept,
            "PARVIS_CELL_FILE": str(self.folder / "cell.json"),
            "PARVIS_SITE_URL": f"http://parvis.localhost:{self.port}",
            "PARVIS_LOG_LEVEL": "WARNING",
            "PARVIS_ALLOW_PRIVATE_FETCH": "1",
        }

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-m",
                        "granian",
                        "--interface",
                        "asgi",
                        "--host",
                        "127.0.0.1",
                        "--loop",
                        "uvloop",
                    ),
                    *("--port", str(self.port), "--no-ws", "--workers-kill-timeout", "3", "tenant_app.web:app"),
                ],
                env=self.env(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9 of the whole tenant app, as it stands."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=60)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError((self.folder / "output").read_text())
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False, timeout=60).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError((self.folder / "output").read_text())

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextmanager
def running_house(cell: Cell, folder: Path, store: Store) -> Iterator[House]:
    """The tenant app on this cell, ready; ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    key = new_key()
    cell.database.ensure_signing_key(key.kid, key.public)
    content = {
        "cell": "test",
        "databases": [{"name": cell.name, "url": cell.app_url}],
        "store": {
            "endpoint": store.endpoint,
            "public_endpoint": store.endpoint.replace("127.0.0.1", store.public_host),
            "ca_file": str(store.ca_file) if store.ca_file else None,
            "key": base64.b64encode(CELL_KEY).decode(),
        },
    }
    (folder / "cell.json").write_bytes(msgspec.json.encode(content))
    house = House(cell, folder, store, free_port(), None, key)  # type: ignore[arg-type]
    house.start()
    try:
        house.wait_until_ready()
        yield house
    finally:
        house.close()
        house.process.terminate()
        try:
            house.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            house.process.kill()
            house.process.wait(timeout=60)


def together(work: list[Any]) -> list[Any]:
    """Run callables at the same moment, each in a thread; their answers in order."""
    answers: list[Any] = [None] * len(work)
    gate = threading.Barrier(len(work))

    def one(place: int) -> None:
        gate.wait()
        answers[place] = work[place]()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
