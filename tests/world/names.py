"""A small real name server on loopback, by UDP and TCP, whose TXT records a test sets and takes away."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

MOST_BY_UDP = 512
PATIENCE = 30.0


@dataclass
class NameServer:
    """`texts` are what stands at each name. `broken` answers SERVFAIL, `silent` answers nothing at all."""

    port: int
    texts: dict[str, list[str]] = field(default_factory=dict)
    broken: bool = False
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def resolver(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def told(self) -> str:
        """How people see it."""
        return f"127.0.0.1:{self.port}"

    def answer(self, wire: bytes, *, by_udp: bool) -> bytes | None:
        if self.silent:
            return None
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query, recursion_available=True)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append(name)
        if self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.texts:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif self.texts[name]:
            quoted = [
                " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in self.texts[name]
            ]
            reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", *quoted))
        full = reply.to_wire()
        if by_udp and len(full) > MOST_BY_UDP:
            # Too long for a datagram: whoever asks comes back by TCP.
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        return full


@contextmanager
def name_server() -> Iterator[NameServer]:
    """A server on a free port; it ends with the block."""
    tcp, udp = _bound()
    server, over = NameServer(tcp.getsockname()[1]), threading.Event()
    threads = [
        threading.Thread(target=_serve_udp, args=(server, udp, over), daemon=True),
        threading.Thread(target=_serve_tcp, args=(server, tcp, over), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
        tcp.close()
        udp.close()


def _bound() -> tuple[socket.socket, socket.socket]:
    """The same free port by TCP and by UDP."""
    while True:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            continue
        tcp.listen(16)
        for one in (tcp, udp):
            one.settimeout(0.1)
        return tcp, udp


def _serve_udp(server: NameServer, udp: socket.socket, over: threading.Event) -> None:
    while not over.is_set():
        with suppress(TimeoutError):
            wire, whose = udp.recvfrom(4096)
            reply = server.answer(wire, by_udp=True)
            if reply is not None:
                udp.sendto(reply, whose)


def _serve_tcp(server: NameServer, tcp: socket.socket, over: threading.Event) -> None:
    while not over.is_set():
        # Who asks may give up in the midst: that is his affair, and the next one is served.
        with suppress(OSError, struct.error):
            connection, _ = tcp.accept()
            connection.settimeout(PATIENCE)
            with connection, connection.makefile("rb") as asked:
                (length,) = struct.unpack("!H", asked.read(2))
                reply = server.answer(asked.read(length), by_udp=False)
                if reply is not None:
                    connection.sendall(struct.pack("!H", len(reply)) + reply)
