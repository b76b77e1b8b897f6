"""Signature Version 4 as S3 has it: in the Authorization header, or in the query of a pre-signed address."""

import base64
import binascii
import functools
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from kit.filestore.asking import Request
from kit.filestore.refusals import Refused, denied

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
DIGEST = "x-amz-content-sha256"
CHECKSUM = "x-amz-checksum-sha256"
SKEW = timedelta(minutes=15)
LONGEST = 7 * 24 * 3600
HEADER = re.compile(
    rf"{ALGORITHM} Credential=(?P<credential>[^,\s]+), ?SignedHeaders=(?P<signed>[^,\s]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
CREDENTIAL = re.compile(r"(?P<key_id>[^/]+)/(?P<day>[0-9]{8})/(?P<region>[^/]*)/s3/aws4_request")
MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")
QUERY = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")


@dataclass(frozen=True)
class Claim:
    """What a request says of its signature: whose key, when, over which headers. Nothing of it is believed yet."""

    key_id: str
    day: str
    region: str
    moment: str
    signed: tuple[str, ...]
    signature: str
    presigned: bool


def claim(request: Request, now: datetime) -> Claim:
    """The request's claim, if it is in time and well made. A request without any is nobody's."""
    presigned = any(name.startswith("X-Amz-") for name in request.params)
    if "authorization" in request.headers:
        if presigned:
            raise Refused(400, "InvalidArgument", "Sign in the header or in the address, not in both.")
        found = _from_header(request)
        if abs(now - _moment(found.moment)) > SKEW:
            raise Refused(403, "RequestTimeTooSkewed", "The clocks differ by more than 15 minutes.")
    elif presigned:
        found = _from_query(request)
        _in_time(found, request.params["X-Amz-Expires"], now)
    else:
        raise denied("Nobody may do this without a key.")
    _check(found, request)
    return found


def _from_header(request: Request) -> Claim:
    told = HEADER.fullmatch(request.headers["authorization"])
    scope = CREDENTIAL.fullmatch(told["credential"]) if told else None
    if told is None or scope is None:
        raise Refused(400, "InvalidArgument", f"Only {ALGORITHM} for s3 is understood.")
    moment = request.headers.get("x-amz-date", "")
    return Claim(
        **scope.groupdict(), moment=moment, signed=_names(told["signed"]), signature=told["signature"], presigned=False
    )


def _from_query(request: Request) -> Claim:
    params = request.params
    missing = [name for name in QUERY if name not in params]
    scope = CREDENTIAL.fullmatch(params.get("X-Amz-Credential", ""))
    if missing or scope is None or params["X-Amz-Algorithm"] != ALGORITHM:
        raise denied(f"Only {ALGORITHM} for s3 is understood.")
    return Claim(
        **scope.groupdict(),
        moment=params["X-Amz-Date"],
        signed=_names(params["X-Amz-SignedHeaders"]),
        signature=params["X-Amz-Signature"],
        presigned=True,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(";"))


def _moment(text: str) -> datetime:
    told = MOMENT.fullmatch(text)
    try:
        year, month, day, hour, minute, second = map(int, told.groups() if told else ())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise denied("The request does not say when it was signed.") from None


def _in_time(found: Claim, expires: str, now: datetime) -> None:
    begins = _moment(found.moment)
    if not (expires.isascii() and expires.isdigit() and len(expires) < 8 and 0 < int(expires) <= LONGEST):
        raise denied(f"X-Amz-Expires is a number of seconds up to {LONGEST}.")
    if begins - now > SKEW:
        raise Refused(403, "RequestTimeTooSkewed", "The address begins in the future.")
    if now >= begins + timedelta(seconds=int(expires)):
        raise denied("The address has expired.")


def _check(found: Claim, request: Request) -> None:
    if found.moment[:8] != found.day:
        raise denied("The key's day is not that of the signature.")
    unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in found.signed]
    if "host" not in found.signed or unsigned:
        raise denied(f"Not signed: {', '.join(unsigned) or 'host'}.")
    if list(found.signed) != sorted(set(found.signed)) or any(name not in request.headers for name in found.signed):
        raise signature_wrong()


def payload(request: Request) -> str | None:
    """The SHA-256 that the body must have, as it was signed; None where the signer left it open."""
    told = request.headers.get(DIGEST, UNSIGNED)
    if told != UNSIGNED and not SHA256.fullmatch(told):
        raise Refused(400, "XAmzContentSHA256Mismatch", f"{DIGEST} is no SHA-256.")
    signed = None if told == UNSIGNED else told
    checksum = _checksum(request)
    if signed and checksum and signed != checksum:
        raise Refused(400, "BadDigest", f"{CHECKSUM} and {DIGEST} are not of the same body.")
    return signed or checksum


def _checksum(request: Request) -> str | None:
    told = request.headers.get(CHECKSUM)
    if told is None:
        return None
    try:
        found = base64.b64decode(told, validate=True).hex()
    except binascii.Error:
        found = ""
    if not SHA256.fullmatch(found):
        raise Refused(400, "InvalidDigest", f"{CHECKSUM} is no SHA-256 in base64.")
    return found


def verify(found: Claim, request: Request, secret: str) -> None:
    """Refuse a request that this secret has not signed as it is."""
    if not found.presigned and DIGEST not in request.headers:
        raise Refused(400, "InvalidRequest", f"The header {DIGEST} is missing.")
    scope = f"{found.day}/{found.region}/s3/aws4_request"
    canonical = hashlib.sha256(_canonical(found, request).encode()).hexdigest()
    text = f"{ALGORITHM}\n{found.moment}\n{scope}\n{canonical}"
    expected = hmac.digest(_key(secret, found.day, found.region), text.encode(), "sha256").hex()
    if not hmac.compare_digest(expected, found.signature):
        raise signature_wrong()


def _canonical(found: Claim, request: Request) -> str:
    params = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in request.params.items()
        if not (found.presigned and name == "X-Amz-Signature")
    )
    lines = [
        request.method,
        quote(request.path, safe="/-_.~"),
        "&".join(f"{name}={value}" for name, value in params),
        *(f"{name}:{request.headers[name]}" for name in found.signed),
        "",
        ";".join(found.signed),
        request.headers.get(DIGEST, UNSIGNED),
    ]
    return "\n".join(lines)


@functools.lru_cache(maxsize=1024)
def _key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature_wrong() -> Refused:
    """The signature does not belong to this request and this key."""
    return Refused(403, "SignatureDoesNotMatch", "The signature does not belong to this request.")
