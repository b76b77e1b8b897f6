"""What may be wrong with an address that somebody entered, in words for him."""

import os
import ssl
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import httpx2

from kit.errors import Refusal

LONGEST = 120


def shown(received: object) -> str:
    """What another side sent, short and without anything that could disturb a page, a log or a terminal."""
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in str(received)[: LONGEST + 1])
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def without_query(url: str) -> str:
    """The address without what may be secret in it."""
    scheme, sign, rest = url.partition("://")
    place = rest.partition("?")[0].partition("#")[0]
    host, slash, path = place.partition("/")
    return shown(f"{scheme}{sign}{host.rpartition('@')[2]}{slash}{path}")


def malformed(url: str, field: str) -> Refusal:
    """Not an address at all."""
    sentence = "{received} is not a web address. Enter one such as https://login.example.com, without a user name."
    return Refusal("address_malformed", sentence, field=field, received=without_query(url))


def not_https(url: str, field: str) -> Refusal:
    """Plain http, or something else altogether."""
    sentence = "{received} does not begin with https://. Enter the address that does."
    return Refusal("not_https", sentence, field=field, received=without_query(url))


def private(host: str, address: IPv4Address | IPv6Address, field: str) -> Refusal:
    """An address inside some network."""
    sentence = "{host} leads to {address}, inside a private network. Enter an address that the internet can reach."
    return Refusal("address_private", sentence, field=field, host=shown(host), address=str(address))


def too_large(host: str, largest: int, field: str) -> Refusal:
    """More bytes than anything of this kind has."""
    sentence = "{host} sent more than {largest} bytes. Check the address: it seems to lead to something else."
    return Refusal("too_large", sentence, field=field, host=shown(host), largest=largest)


def too_slow(host: str, seconds: float, field: str) -> Refusal:
    """No whole answer in time."""
    sentence = "{host} gave no complete answer within {seconds} seconds. Check that it is well, then try again."
    return Refusal("too_slow", sentence, field=field, host=shown(host), seconds=f"{seconds:g}")


def redirected(host: str, target: str, field: str) -> Refusal:
    """It sends us elsewhere."""
    sentence = "{host} redirects to {target}. Enter the address at which it answers itself."
    return Refusal("redirected", sentence, field=field, host=shown(host), target=without_query(target))


def compressed(host: str, how: str, field: str) -> Refusal:
    """A small answer that may become a large one."""
    sentence = "{host} answered compressed ({received}) although that was not asked for. Turn this off for the address."
    return Refusal("compressed", sentence, field=field, host=shown(host), received=shown(how))


def unreachable(host: str, reason: str, field: str) -> Refusal:
    """Nobody there."""
    sentence = "{host} cannot be reached: {reason}. Check the address, and that its server runs."
    return Refusal("unreachable", sentence, field=field, host=shown(host), reason=shown(reason))


def tls_failed(host: str, reason: str, field: str) -> Refusal:
    """It could not prove who it is."""
    sentence = "{host} could not prove who it is: {reason}. Install a valid certificate there, with its whole chain."
    return Refusal("tls_failed", sentence, field=field, host=shown(host), reason=shown(reason))


def not_http(host: str, reason: str, field: str) -> Refusal:
    """It answers something, but not as the web does."""
    sentence = "{host} does not answer as a web server does: {reason}. Check the address and its port."
    return Refusal("not_http", sentence, field=field, host=shown(host), reason=shown(reason))


def status_unexpected(url: str, status: int, field: str) -> Refusal:
    """An error page."""
    sentence = "{received} answered with status {answered} instead of 200. Check the address."
    return Refusal("status_unexpected", sentence, field=field, received=without_query(url), answered=status)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def of_failure(error: httpx2.RequestError, host: str, seconds: float, field: str) -> Refusal:
    """What a failed request means to who entered the address."""
    if isinstance(error, httpx2.TimeoutException):
        return too_slow(host, seconds, field)
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            return tls_failed(host, getattr(cause, "verify_message", "") or cause.reason or str(cause), field)
    if isinstance(error, httpx2.ProtocolError | httpx2.DecodingError):
        return not_http(host, str(error), field)
    reasons = (os.strerror(cause.errno) for cause in chain if isinstance(cause, OSError) and cause.errno)
    return unreachable(host, next(reasons, str(error) or type(error).__name__), field)
