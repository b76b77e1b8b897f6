"""The programs of the product that the supervisor starts, and whether they answer."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping

from control_plane.embedded import processes
from control_plane.embedded.house import House

Start = Callable[[], "subprocess.Popen[bytes]"]


def starter(house: House, name: str, command: list[str], env: Mapping[str, str]) -> Start:
    """How a part is started, now and whenever it dies; it writes its own log."""
    return lambda: processes.start(command, log=house.log(name), env=env, cwd=house.folder)


def granian(port: int) -> list[str]:
    """The command that serves PARVIS_SERVE."""
    # Backpressure counts open streams, so the default would hang everybody beyond it. A shutdown waits for none.
    flags = "--http 1 --workers 1 --no-ws --loop uvloop --backlog 4096 --backpressure 4096 --workers-kill-timeout 3"
    return [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)),
        *flags.split(),
        *("--log-level", "warning", "--respawn-failed-workers", "--respawn-interval", "0.2"),
        "control_plane.embedded.serving:app",
    ]


async def healthy(port: int, host: str) -> bool:
    """Whether what listens there answers that it lives."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            first = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in first
