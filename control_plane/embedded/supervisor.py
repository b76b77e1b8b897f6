"""The supervisor of the embedded mode: starts every part, holds the public port, stops all of it again."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from control_plane.embedded import ports, prepared, processes, stores, valkey
from control_plane.embedded.edge import Edge, listening
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.heads import Head
from control_plane.embedded.house import FILES_HOST, House, environment
from control_plane.embedded.mail_page import MailPage
from control_plane.embedded.mails import MailFolder, smtp
from control_plane.embedded.parts import Part, ended
from control_plane.embedded.postgres import Postgres
from control_plane.embedded.programs import granian, healthy, starter
from kit import logs

READY_SECONDS = 60
LEFTOVER_SECONDS = 8
DATABASE_STOP_SECONDS = 120
PATIENCE_SECONDS = 5
# Who stops last, because others stand on it; of a Ceph the disk tells the monitor that it goes.
FOUNDATIONS = (("postgres", "valkey", "store", "keys", "ceph-gateway"), ("ceph-disk",), ("ceph-monitor",))
FACES = {
    "parvis.localhost": "control-plane",
    "portal.parvis.localhost": "control-plane",
    "mail.parvis.localhost": "mail",
    FILES_HOST: "store",
}

log = logs.get("supervisor")


@dataclass
class Supervisor:
    """One run of the whole product. `say` tells the person who started it; he sets `hurry` to wait for no work."""

    house: House
    say: Callable[[str], None]
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    parts: list[Part] = field(default_factory=list)
    _backends: dict[str, int] = field(default_factory=dict)

    async def run(self, sockets: list[socket.socket], stopping: asyncio.Event) -> None:
        """Start all, say so, serve until `stopping`, stop all."""
        processes.adopt_orphans()
        processes.allow_many_files()
        await self._end_leftovers()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._stop)
            starting = asyncio.create_task(self._start(sockets, stack))
            waiting = asyncio.create_task(stopping.wait())
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                return
            try:
                starting.result()
                await waiting
            finally:
                waiting.cancel()
            self.say("Stopping …")

    async def _end_leftovers(self) -> None:
        """A run that was killed may have left processes; they end before ours begin."""
        left = processes.marked("PARVIS_UP_FOLDER", str(self.house.folder))
        if left:
            log.warning("ending what a killed run left behind", pids=left)
            await asyncio.to_thread(processes.end, left, within=LEFTOVER_SECONDS)

    async def _start(self, sockets: list[socket.socket], stack: AsyncExitStack) -> None:
        drawn, store = self.house.secrets(), stores.of(self.house)
        storing = asyncio.create_task(store.begin(self._begin))
        stack.push_async_callback(_cancelled, storing)
        database, broker = await self._begin_servers(drawn)
        env = environment(
            self.house,
            database=prepared.control_url(database.port, drawn["control_password"]),
            broker=broker,
            smtp_port=await self._mails(stack),
        )
        if not prepared.is_prepared(self.house):
            # What prepares the installation tells the cell how its store is reached.
            await storing
        await self._prepare(env, database)
        self._backends["store"] = store.port
        edge = Edge(self._route)
        stack.push_async_callback(edge.close)
        self._begin_applications(env)
        store.begin_beside(self._begin)
        await edge.serve(sockets)
        await self._ready(store.answering())
        await storing
        # After the applications, so that they have the processors to themselves while they load.
        self._begin_workers(env)
        self.say(summary(self.house, store.words()))

    async def _begin_servers(self, drawn: dict[str, Any]) -> tuple[Postgres, str]:
        """The database and the broker's address, both ready."""
        database, port = self._database(drawn), ports.free_port()
        if not (database.folder / "PG_VERSION").exists():
            self.say("First start: making the database …")
        await asyncio.to_thread(database.initialise)
        server = self._begin("postgres", database.start, signal.SIGINT)
        # What was written last is on its way to the disk.
        server.stop_seconds = DATABASE_STOP_SECONDS
        broker = self._begin("valkey", lambda: self._valkey(port, drawn))
        assert server.process is not None
        assert broker.process is not None
        await asyncio.to_thread(database.wait_until_ready, server.process)
        await asyncio.to_thread(valkey.wait_until_ready, port, drawn["valkey_password"], broker.process)
        return database, valkey.url(port, drawn["valkey_password"])

    def _database(self, drawn: dict[str, Any]) -> Postgres:
        folder, log_file = self.house.var / "postgres", self.house.log("postgres")
        return Postgres(folder, drawn["postgres_port"], drawn["postgres_password"], log_file)

    def _valkey(self, port: int, drawn: dict[str, Any]) -> Any:
        marker = {"PARVIS_UP_FOLDER": str(self.house.folder)}
        folder, log_file = self.house.var / "valkey", self.house.log("valkey")
        return valkey.start(folder, port, drawn["valkey_password"], log_file, env=marker)

    def _begin(self, name: str, start: Callable[[], Any], stop_signal: signal.Signals = signal.SIGTERM) -> Part:
        part = Part(name, start, stop_signal, on_change=self._write_children)
        # Noted before it starts: whatever happens now, it will be stopped.
        self.parts.append(part)
        part.begin()
        return part

    def _begin_applications(self, env: dict[str, str]) -> None:
        for name, application in (("control-plane", "control_plane.web:app"), ("tenant-app", "tenant_app.web:app")):
            self._backends[name] = ports.free_port()
            command = granian(self._backends[name])
            self._begin(name, starter(self.house, name, command, {**env, "PARVIS_SERVE": application}))

    def _begin_workers(self, env: dict[str, str]) -> None:
        workers = {
            "worker": ["control_plane.worker", "celery"],
            "sweep": ["control_plane.worker", "sweep"],
            "tenant-worker": ["tenant_app.worker"],
        }
        for name, module in workers.items():
            command = [sys.executable, "-m", *module]
            self._begin(name, starter(self.house, name, command, env))

    def _write_children(self) -> None:
        running = {part.name: part.process.pid for part in self.parts if part.process is not None}
        told = {name: {"pid": pid, "started": processes.started_at(pid)} for name, pid in running.items()}
        path = self.house.run / "children.json"
        passing = path.with_suffix(".new")
        passing.write_text(json.dumps(told, indent=2) + "\n")
        passing.rename(path)

    async def _mails(self, stack: AsyncExitStack) -> int:
        loop, folder = asyncio.get_running_loop(), MailFolder(self.house.var / "mails")
        catcher = await loop.create_server(lambda: smtp(folder), "127.0.0.1", 0)
        page = await asyncio.start_server(MailPage(folder).serve, "127.0.0.1", 0)
        for server in (catcher, page):
            stack.callback(server.close)
        self._backends["mail"] = page.sockets[0].getsockname()[1]
        return int(catcher.sockets[0].getsockname()[1])

    async def _prepare(self, env: dict[str, str], database: Postgres) -> None:
        """Migrate and make what is missing, unless this very version did so already."""
        if not prepared.is_prepared(self.house):
            await self._run_preparation(env, database)
            prepared.note_prepared(self.house)
        prepared.refresh_urls(self.house)

    async def _run_preparation(self, env: dict[str, str], database: Postgres) -> None:
        admin = {"PARVIS_PORT": str(self.house.port), "PARVIS_EMBEDDED_ADMIN_URL": database.url()}
        command = [sys.executable, "-m", "control_plane.embedded.firstrun"]
        child = starter(self.house, "firstrun", command, {**env, **admin})()
        try:
            code = await ended(child)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if code != 0:
            raise EmbeddedError(
                f"The installation could not be prepared; the reason is in {self.house.log('firstrun')}."
            )

    def _route(self, head: Head) -> int | str:
        if head.host in {"localhost", "127.0.0.1", "[::1]"}:
            return self.house.url() + "/"
        return self._backends[FACES.get(head.host, "tenant-app")]

    async def _ready(self, others: dict[str, int]) -> None:
        """Wait until the applications and the others answer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_SECONDS
        applications = {name: self._backends[name] for name in ("control-plane", "tenant-app")}
        for name, port in (applications | others).items():
            while not await healthy(port, "parvis.localhost"):
                if loop.time() > deadline:
                    raise EmbeddedError(f"The {name} does not answer; the reason is in {self.house.log(name)}.")
                await asyncio.sleep(0.05)

    async def _stop(self) -> None:
        """In order: first who serves and works, then what they stand on, which is never hurried."""
        lowest = {name for floor in FOUNDATIONS for name in floor}
        upper = [part for part in self.parts if part.name not in lowest]
        for part in upper:
            part.hurry = self.hurry
        telling = asyncio.create_task(self._tell_who_works(upper))
        await asyncio.gather(*(part.stop() for part in upper))
        await _cancelled(telling)
        for floor in FOUNDATIONS:
            await asyncio.gather(*(part.stop() for part in self.parts if part.name in floor))
        (self.house.run / "children.json").unlink(missing_ok=True)

    async def _tell_who_works(self, parts: list[Part]) -> None:
        await asyncio.sleep(PATIENCE_SECONDS)
        working = ", ".join(part.name for part in parts if part.process is not None and part.process.poll() is None)
        self.say(f"Waiting for what is under way ({working}). Ctrl C again does not wait, and loses nothing.")


async def _cancelled(task: "asyncio.Task[None]") -> None:
    """Go no further with what is not wanted any more."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def summary(house: House, store: str = "") -> str:
    """What a person wants to know next."""
    staff = json.loads(house.first_run.read_text())["staff"]
    stored = f"\n  Files of workspaces       {store}" if store else ""
    return f"""
Parvis runs.

  Public site and sign-up   {house.url()}
  Workspaces                {house.url("<address>")}
  Portal for staff          {house.url("portal")}
    sign in as              {staff["email"]}
    password                {staff["password"]}
    one-time code           parvis staff code   (now {code_now(staff["totp_secret"])})
  Operator API              {house.url("portal")}/api/v1
    token                   api_token in {house.first_run}
  Mails it sends            {house.url("mail")}{stored}

Data is kept in {house.var}. Ctrl C stops everything.
"""


def code_now(secret: str) -> str:
    """The one-time code of this half minute."""
    import pyotp

    return pyotp.TOTP(secret).now()


async def serve(house: House, say: Callable[[str], None]) -> None:
    """Run the product until a signal; raises EmbeddedError with words for people."""
    stopping, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def told_to_stop() -> None:
        (hurry if stopping.is_set() else stopping).set()

    for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(sent, told_to_stop)
    try:
        sockets = listening(house.port)
    except OSError as error:
        raise EmbeddedError(
            f"Port {house.port} on 127.0.0.1 cannot be used ({os.strerror(error.errno or 0)}). End the program that "
            "has it, or choose another with PARVIS_PORT, as in: PARVIS_PORT=8090 make up"
        ) from error
    try:
        await Supervisor(house, say, hurry).run(sockets, stopping)
    finally:
        for one in sockets:
            one.close()
