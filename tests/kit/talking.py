"""A real server on loopback that says whatever a test wants, well or badly."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk, tls: ssl.SSLContext | None = None, family: int = socket.AF_INET) -> Iterator[int]:
    """A server that says what `talk` says to each who connects; its port."""
    listening = socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family)  # type: ignore[arg-type]

    def serve() -> None:
        while True:
            try:
                taken, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(taken,), daemon=True).start()

    def converse(taken: socket.socket) -> None:
        try:
            spoken = tls.wrap_socket(taken, server_side=True) if tls else taken
            spoken.recv(65536)
            talk(spoken)
            spoken.close()
        except OSError:
            taken.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        # A close alone does not wake the thread that waits for the next one.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def says(answer: bytes) -> Talk:
    return lambda taken: taken.sendall(answer)
