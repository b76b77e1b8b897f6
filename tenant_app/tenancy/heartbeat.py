"""Signs of life: each process tells each database of its cell up to where it has read that database's directory.

Whoever needs to know that a change is served everywhere reads `directory.heartbeat`. A process that cannot read shows
its old number; one that hangs or died shows an old moment, and is forgotten after a day.
"""

import asyncio
import os
import socket
import time

import asyncpg

from kit import logs
from tenant_app.tenancy.query import Connection

BEAT_SECONDS = 5.0
# News of the directory is told sooner, but a burst of changes costs no more than a row a second.
NEWS_SECONDS = 1.0
FORGET_SECONDS = 3600.0

BEAT = """
insert into directory.heartbeat (process, seen_at, version) values ($1, now(), $2)
on conflict (process) do update set seen_at = excluded.seen_at, version = excluded.version
"""
FORGET = "delete from directory.heartbeat where seen_at < now() - interval '1 day'"
LEAVE = "delete from directory.heartbeat where process = $1"

# The directory of an older release: it is upgraded within seconds, and nobody must wait for that.
OLDER = (asyncpg.UndefinedColumnError, asyncpg.InsufficientPrivilegeError)

log = logs.get("tenant_app.tenancy")


def process_name(kind: str) -> str:
    """A name that no other process has or had: what it is, its machine, its number there, and when it began."""
    return f"{kind[:20]} {socket.gethostname()[:60]} {os.getpid()} {int(time.time())}"


class Heartbeat:
    """One process's row in one database."""

    def __init__(self, process: str, *, beat_seconds: float = BEAT_SECONDS) -> None:
        self.process = process
        self._every = beat_seconds
        self._told: int | None = None
        self._told_at = self._forgot_at = float("-inf")

    async def beat(self, connection: Connection, version: int | None) -> None:
        """Tell the version that is served now, if it is time to; None before there is one."""
        now = asyncio.get_running_loop().time()
        if now - self._told_at < (self._every if version == self._told else min(self._every, NEWS_SECONDS)):
            return
        self._told, self._told_at = version, now
        try:
            await connection.execute(BEAT, self.process, version)
            if now - self._forgot_at > FORGET_SECONDS:
                self._forgot_at = now
                await connection.execute(FORGET)
        except OLDER as error:
            log.warning("no heartbeat", process=self.process, error=str(error))

    async def leave(self, connection: Connection) -> None:
        """The process ends, or serves this database no more: nobody needs to wait for it."""
        try:
            await connection.execute(LEAVE, self.process)
        except OLDER as error:
            log.warning("no farewell", process=self.process, error=str(error))
