"""Ports on loopback: free now, or free for good."""

import random
import socket

from control_plane.embedded.errors import EmbeddedError

# Below the range from which the kernel takes the ports of outgoing connections, so that none of them takes ours.
LASTING = range(15000, 31000)


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
        if is_free(port):
            return port


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
