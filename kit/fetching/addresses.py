"""Which addresses are of the public internet, and how a name is looked up without holding anybody else up."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

# Threads of their own: an attacker's slow name server must not use up those of the event loop.
LOOKUPS = ThreadPoolExecutor(32, thread_name_prefix="lookup")

# Not `is_global` in every Python that we run on, or reachable inside a network although they are.
INSIDE = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
        *("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16"),
        *("fc00::/7", "fe80::/10", "fec0::/10"),
    )
)
LOOPBACK = "127.0.0.1"
NAT64 = ip_network("64:ff9b::/96")


def carried(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
        if address.sixtofour is not None:
            yield address.sixtofour
        if address in NAT64:
            yield IPv4Address(int(address) & 0xFFFFFFFF)


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could reach it: fetching it shows nothing of ours."""
    inner = list(carried(address))
    if inner:
        return all(map(is_public, inner))
    if any(address.version == network.version and address in network for network in INSIDE):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_never(address: Address) -> bool:
    """Not even admitted on one's own machine: the addresses of cloud metadata, of nobody, and of many at once."""
    inner = list(carried(address))
    if inner:
        return any(map(is_never, inner))
    return address.is_link_local or address.is_multicast or address.is_unspecified


def parsed(text: str) -> Address:
    """An address as the system writes it; its scope (`%eth0`) is of no use to us."""
    return ip_address(text.partition("%")[0])


async def look_up(host: str, port: int) -> Sequence[str]:
    """All addresses of a name, by the machine's own resolver."""
    if host == "localhost" or host.endswith(".localhost"):
        # Always one's own machine (RFC 6761); not every resolver knows it.
        return [LOOPBACK]
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(
        LOOKUPS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    )
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
