"""Ports on loopback: free now, or free for good."""

import os
import random
import socket
from collections import deque

from control_plane.embedded.errors import EmbeddedError

# Below the range from which the kernel takes the ports of outgoing connections, so that none of them takes ours.
LASTING = range(15000, 31000)
# Whoever draws a port holds it, without listening: its server gets it all the same, and nobody else draws it meanwhile.
HELD = 64
_held: deque[int] = deque()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that is free now, and likely at the next start too."""
    while True:
        port = random.choice(LASTING)  # noqa: S311 - nothing depends on its being hard to guess
        if _hold(port):
            return port


def _hold(port: int) -> bool:
    """Keep the port from others who draw; False where somebody has it, listening or not."""
    held = socket.socket()
    try:
        # Not with SO_REUSEADDR yet: by that, two who draw at once would both get it.
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        return False
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held.append(held.detach())
    if len(_held) > HELD:
        os.close(_held.popleft())
    return True


def free_ports(number: int) -> list[int]:
    """So many free ports, each another."""
    found: set[int] = set()
    while len(found) < number:
        found.add(free_port())
    return list(found)


def claim(port: int, whose: str) -> None:
    """Stop with plain words when the port that was given for good to the server `whose` is taken."""
    if not is_free(port):
        raise EmbeddedError(
            f"Port {port} on 127.0.0.1, which {whose} was given, is taken by another program. End that program and "
            "start again."
        )
