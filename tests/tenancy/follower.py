"""A process that follows a cell's directory and does nothing else: `python -m tests.tenancy.follower CELL_FILE`."""

import asyncio
import sys
from pathlib import Path

from kit import logs
from tenant_app.tenancy import Directory, source

# A service takes its leave in a second or not at all; here the leave itself is looked at, however slow the machine.
source.STOP_SECONDS = 60.0


async def main(cell_file: str) -> None:
    directory = Directory(Path(cell_file), kind="follower", poll_seconds=0.05, beat_seconds=0.2)
    await directory.start()
    print(directory.process, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await directory.close()


if __name__ == "__main__":
    logs.configure(process="follower")
    asyncio.run(main(*sys.argv[1:]))
