"""Signed calls to a Ceph gateway: bounded in time, repeated where that may help, silent about secrets.

The Admin Ops API takes new keys in the query, so an address is a secret here: no exception that carries one leaves this
module, and what `urllib3` logs of addresses loses its query.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
import requests
from requests.adapters import HTTPAdapter

from control_plane.storage.errors import GONE
from control_plane.storage.store import AccessKey
from kit import logs
from kit.errors import Unavailable
from kit.s3 import Failure, Signer
from kit.s3.dialect import failure as said_in_xml

log = logs.get(__name__)

CONNECT_SECONDS = 3.0
# A gateway whose disks are away neither answers nor hangs up.
READ_SECONDS = 10.0
PAUSE = 0.15
TRY_AGAIN = frozenset({500, 502, 503, 504})
CONCURRENT = frozenset({"ConcurrentModification", "OperationAborted"})
CONNECTIONS = 32


class WithoutQuery(logging.Filter):
    """Cuts the query off addresses, and what was signed off its announcement, in the lines of the libraries."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line through, shortened."""
        if isinstance(record.args, tuple):
            record.args = tuple(_shortened(arg) for arg in record.args)
        return True


def _shortened(arg: object) -> object:
    return arg.partition("?")[0].partition("\n")[0] if isinstance(arg, str) else arg


# Only a program that logs at DEBUG sees these lines; it must not see keys.
for _name in ("urllib3.connectionpool", "botocore.auth"):
    logging.getLogger(_name).addFilter(WithoutQuery())


@dataclass(frozen=True)
class _Lost:
    """No answer came: why, in words without the address, and whether another try is worth it."""

    why: str
    again: bool


class Gateway:
    """One gateway, by the administrator's key or an owner's. May be used by many threads at once.

    Every call may be repeated without harm: what we ask are states, not steps. A refusal is raised as `Failure`, a
    gateway that is away as `Unavailable`, after 10 seconds where it hangs.
    """

    def __init__(self, endpoint: str, admin: AccessKey, region: str = "default", ca_file: Path | None = None) -> None:
        self.endpoint = endpoint
        self.region = region
        self.admin_key_id = admin.key_id
        self.read_seconds = READ_SECONDS
        self._admin = self._signer(admin)
        self._session = requests.Session()
        # No proxy and no other trust by way of the environment.
        self._session.trust_env = False
        self._session.verify = str(ca_file) if ca_file else True
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __repr__(self) -> str:
        return f"Gateway({self.endpoint}, {self.admin_key_id}, …)"

    def close(self) -> None:
        """End all connections."""
        self._session.close()

    def admin(self, method: str, resource: str, **params: str | int) -> bytes:
        """A call of the Admin Ops API on `resource`. Underscores in the names of parameters are hyphens there."""
        named = {name.replace("_", "-"): str(value) for name, value in params.items()}
        return self._ask(self._admin, method, f"/admin/{resource}", named)

    def owner(
        self, key: AccessKey, method: str, path: str, params: Mapping[str, str] | None = None, body: bytes = b""
    ) -> bytes:
        """An S3 call by an account's own key."""
        return self._ask(self._signer(key), method, path, params or {}, body)

    def _signer(self, key: AccessKey) -> Signer:
        return Signer(self.endpoint, key.key_id, key.secret, self.region)

    def _ask(self, signer: Signer, method: str, path: str, params: Mapping[str, str], body: bytes = b"") -> bytes:
        what = f"{method} {path}"
        why = ""
        for pause in (0.0, PAUSE, PAUSE * 2):
            if pause:
                log.info("the store is asked again", call=what, why=why)
                time.sleep(pause)
            answer = self._once(signer, method, path, params, body)
            if isinstance(answer, _Lost):
                why = answer.why
                if not answer.again:
                    break
            elif answer.status_code < 300:
                return answer.content
            else:
                why = self._worth_repeating(answer, what)
        raise Unavailable(GONE, f"{what}: {why}")

    def _worth_repeating(self, answer: requests.Response, what: str) -> str:
        """Why the call should be repeated; raises the refusal where it should not."""
        failure = _said(answer, what)
        if failure.status not in TRY_AGAIN and failure.code not in CONCURRENT:
            raise failure
        return f"{failure.status} {failure.code}"

    def _once(
        self, signer: Signer, method: str, path: str, params: Mapping[str, str], body: bytes
    ) -> requests.Response | _Lost:
        # Signed anew each time: a signature is good for a while only.
        url, headers = signer.call(method, path, params, payload=sha256(body).hexdigest())
        try:
            return self._session.request(
                method,
                url,
                headers=headers,
                data=body or None,
                timeout=(CONNECT_SECONDS, self.read_seconds),
                # A signature is for this gateway only.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # What the caller raises must not hang on to an exception that holds the address.
            return _lost(error)


def _lost(error: requests.RequestException) -> _Lost:
    chain = list(_chain(error))
    timed_out = any(isinstance(one, requests.Timeout | TimeoutError) for one in chain)
    innermost = chain[-1]
    # The system's own words know no address; those of the libraries do.
    of_the_system = isinstance(innermost, OSError) and not isinstance(innermost, requests.RequestException)
    words = f": {innermost}" if of_the_system else ""
    return _Lost(f"{type(error).__name__}{words}", again=not timed_out)


def _chain(error: BaseException) -> Iterator[BaseException]:
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        inner = inner.__cause__ or inner.__context__


def _said(answer: requests.Response, what: str) -> Failure:
    """A refusal with Ceph's code and our own words: theirs may repeat what we sent."""
    try:
        code = msgspec.json.decode(answer.content, type=dict[str, object]).get("Code", "")
    except msgspec.DecodeError:
        code = said_in_xml(answer.status_code, answer.content).code
    return Failure(answer.status_code, str(code), what)
