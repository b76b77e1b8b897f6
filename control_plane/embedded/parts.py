"""One part of the product: started, watched, started again when it dies, and stopped."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from control_plane.embedded import processes
from kit import logs

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
LIVED_WELL_SECONDS = 20.0
# Longer than any process waits for its own work, as the sweep does for its rounds.
STOP_SECONDS = 40.0

log = logs.get("supervisor")


async def ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a child without a thread: the kernel tells by a descriptor."""
    if (code := process.poll()) is not None:
        return code
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()
    descriptor = os.pidfd_open(process.pid)

    def tell() -> None:
        if not told.done():
            told.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await told
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()


@dataclass
class Part:
    """A child that is kept running. `stop_signal` ends it in order, within `stop_seconds` or until `hurry` is set."""

    name: str
    start: Callable[[], "subprocess.Popen[bytes]"]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = STOP_SECONDS
    on_change: Callable[[], None] = lambda: None
    hurry: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    process: "subprocess.Popen[bytes] | None" = None
    _watch: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def begin(self) -> None:
        """Start it, and from now on start it again whenever it dies."""
        self._spawn()
        self._watch = asyncio.create_task(self._keep_running())

    def _spawn(self) -> None:
        self.process = self.start()
        self.on_change()

    async def _keep_running(self) -> None:
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        while True:
            born = loop.time()
            if self.process is not None:
                code = await ended(self.process)
                processes.end_group(self.process.pid)
                log.warning("a part died and is started again", part=self.name, code=code)
            if loop.time() - born > LIVED_WELL_SECONDS:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                self._spawn()
            except Exception:
                self.process = None
                log.exception("a part could not be started again", part=self.name)

    async def stop(self) -> None:
        """End it in order; what does not end in time is killed, with all that it started."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            if not await self._ends_in_time(self.process):
                log.warning("a part did not end in time and is killed", part=self.name)
                self.process.kill()
                await ended(self.process)
        processes.end_group(self.process.pid)

    async def _ends_in_time(self, process: "subprocess.Popen[bytes]") -> bool:
        waiting = [asyncio.create_task(ended(process)), asyncio.create_task(self.hurry.wait())]
        done, _ = await asyncio.wait(waiting, timeout=self.stop_seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        # It may have ended in the very moment in which the hurry came.
        return waiting[0] in done or process.poll() is not None
