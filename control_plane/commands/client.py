"""Speaking to the operator API: one small wrapper of the standard library, that explains each failure and its cure."""

import http.client
import json
import os
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from control_plane.commands.errors import CommandError, ExitCode

SECONDS = 60.0
REFUSED = {
    401: ExitCode.NOT_ALLOWED,
    403: ExitCode.NOT_ALLOWED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    428: ExitCode.CONFLICT,
    429: ExitCode.UNAVAILABLE,
}


@dataclass(frozen=True)
class Answer:
    """What the API said."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Client:
    """One operator API and a token for it; `language` is what refusals are written in."""

    url: str
    token: str
    language: str = "en"
    seconds: float = SECONDS

    def get(self, path: str, **query: Any) -> Any:
        """Read; None and False are left out of the query."""
        return self.ask("GET", path, query=query).body

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request to `/api/v1{path}`; a refusal becomes a CommandError that names the field and the cure."""
        target, sent = _target(path, query or {}), headers or {}
        try:
            answer = self._send(method, target, body, sent)
        except CommandError:
            if method != "GET" and "Idempotency-Key" not in sent:
                raise
            # The answer was lost, not the effect: the same question has the same answer.
            answer = self._send(method, target, body, sent)
        if answer.status >= 400:
            raise refused(answer)
        return answer

    def _send(self, method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        parts = urlsplit(self.url)
        connection = _connect(parts.scheme, parts.hostname or "", parts.port, self.seconds)
        content = None if body is None else json.dumps(body).encode()
        sent = {
            "Host": parts.netloc.rpartition("@")[2],
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json",
            "Accept-Language": self.language,
            "User-Agent": "parvis",
            **({"Content-Type": "application/json"} if content is not None else {}),
            **headers,
        }
        try:
            connection.request(method, parts.path.rstrip("/") + target, body=content, headers=sent)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.url, error) from error
        finally:
            connection.close()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, _json(raw, response.status))


def quoted(part: str) -> str:
    """A part of a path, whatever people typed."""
    return quote(part, safe="")


def _connect(scheme: str, host: str, port: int | None, seconds: float) -> http.client.HTTPConnection:
    # *.localhost is this machine (RFC 6761), but glibc does not know it.
    reached = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
    if scheme == "https":
        return http.client.HTTPSConnection(reached, port, timeout=seconds, context=ssl.create_default_context())
    return http.client.HTTPConnection(reached, port, timeout=seconds)


def _target(path: str, query: dict[str, Any]) -> str:
    kept = {name: _text(value) for name, value in query.items() if value is not None and value is not False}
    return f"/api/v1{path}" + (f"?{urlencode(kept)}" if kept else "")


def _text(value: Any) -> str:
    return "true" if value is True else str(value)


def _json(raw: bytes, status: int) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        raise CommandError(
            f"The address answers {status}, but not as the operator API does.",
            cure="Check PARVIS_API_URL (or --url): it is the portal's address, such as https://portal.parvis.example.",
            code=ExitCode.UNAVAILABLE,
        ) from error


def refused(answer: Answer) -> CommandError:
    """A problem of the API as an error of the command."""
    problem = answer.body if isinstance(answer.body, dict) else {}
    code = REFUSED.get(answer.status, ExitCode.UNAVAILABLE if answer.status >= 500 else ExitCode.REFUSED)
    return CommandError(
        str(problem.get("detail") or f"The API answered {answer.status}."),
        fields=[(str(one.get("field")), str(one.get("detail"))) for one in problem.get("errors", [])],
        cure=_cure(answer, problem),
        code=code,
        problem=problem,
    )


def _cure(answer: Answer, problem: dict[str, Any]) -> str | None:
    if answer.status == 401:
        return "Give a valid token: --token, or PARVIS_API_TOKEN."
    if answer.status == 412:
        return "It changed meanwhile: look at it again, then repeat the command."
    if answer.status == 429:
        return f"Wait {answer.headers.get('retry-after', 'a few')} s and repeat the command."
    if answer.status >= 500:
        return f"Repeat the command in a moment. For support: request {problem.get('request_id', 'unknown')}."
    return None


def unreachable(url: str, error: Exception) -> CommandError:
    """Nobody answers there."""
    return CommandError(
        f"Nothing answers at {url} ({error.__class__.__name__}: {error}).",
        cure="Start Parvis with `parvis up`, or give another address by --url or PARVIS_API_URL.",
        code=ExitCode.UNAVAILABLE,
    )


def language(environment: dict[str, str] | None = None) -> str:
    """`fr` or `en` by LC_ALL, LC_MESSAGES, LANG."""
    environment = dict(os.environ) if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "fr" if environment[name].lower().startswith("fr") else "en"
    return "en"
