"""Signature Version 4 for an S3 gateway: headers for our own calls, and addresses that let a browser make one call.

The signing itself is botocore's; no model of a service is loaded, so a signature for another tenant's key costs nothing
but itself (about 0.1 ms).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

UNSIGNED = "UNSIGNED-PAYLOAD"
LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Signer:
    """One key at one gateway. `endpoint` is an address without a trailing slash, such as `https://rgw.example`."""

    endpoint: str
    key_id: str
    secret: str = field(repr=False)
    region: str = "default"

    def url(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: int = LONGEST_SECONDS,
        at: str | None = None,
    ) -> str:
        """An address that allows exactly this call for so many seconds; the caller must send exactly these headers.

        `at` is another endpoint of the same gateway: the one that browsers see.
        """
        request = AWSRequest(
            method=method, url=(at or self.endpoint) + path, params=dict(params or {}), headers=dict(headers or {})
        )
        S3SigV4QueryAuth(self._credentials, "s3", self.region, expires=seconds).add_auth(request)
        return str(request.prepare().url)

    def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        payload: str | None = None,
    ) -> tuple[str, dict[str, str]]:
        """The address and the signed headers of a call of our own.

        `payload` is the body's SHA-256 in hexadecimal; without one the gateway does not check what arrives.
        """
        request = AWSRequest(
            method=method, url=self.endpoint + path, params=dict(params or {}), headers=dict(headers or {})
        )
        _Auth(self._credentials, self.region, payload or UNSIGNED).add_auth(request)
        prepared = request.prepare()
        signed = {name: _text(value) for name, value in prepared.headers.items() if name.lower() != "content-length"}
        return str(prepared.url), signed

    @property
    def _credentials(self) -> Credentials:
        return Credentials(self.key_id, self.secret)


class _Auth(S3SigV4Auth):  # type: ignore[misc]
    """Signs for a body that is not at hand, by its digest alone."""

    def __init__(self, credentials: Credentials, region: str, payload: str) -> None:
        super().__init__(credentials, "s3", region)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002 - the base class's shape
        """What stands for the body in the signature."""
        return self._payload


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
