"""A port that was drawn is its drawer's until his server has it, however long that takes."""

import socket
import subprocess
import sys

from control_plane.embedded import ports

DRAW = """
import sys
from control_plane.embedded import ports
ports.LASTING = [int(one) for one in sys.argv[1:]] or ports.LASTING
print(ports.free_port())
"""


def drawn_elsewhere(*choice: int) -> int:
    """What another process draws from these, or from all; it ends, and lets go of it."""
    command = [sys.executable, "-c", DRAW, *map(str, choice)]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=180).stdout)


def test_a_port_that_somebody_drew_is_drawn_by_nobody_else_and_his_server_gets_it() -> None:
    port, other = ports.free_port(), drawn_elsewhere()
    choice = [port] * 20 + [other]
    assert drawn_elsewhere(*choice) == other
    with socket.create_server(("127.0.0.1", port)):
        assert not ports.is_free(port)
        assert drawn_elsewhere(*choice) == other
    # Also while its server is away: it may be on its way back.
    assert drawn_elsewhere(*choice) == other
    ports.claim(port, "its drawer")


def test_the_control_a_port_that_nobody_drew_is_drawn() -> None:
    port = drawn_elsewhere()
    assert drawn_elsewhere(port) == port
