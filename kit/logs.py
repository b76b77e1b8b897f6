"""Logs: one JSON object a line on standard error, with request and organisation, and without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO
from urllib.parse import urlsplit

import structlog

HIDDEN = "[hidden]"
SECRET_KEY = re.compile(
    r"pass(word|phrase)?$|passwd|secret|token|authorization|cookie|credential|api_?key|private_?key|master_?key"
    r"|(^|_)(otp|code_verifier|session|ticket|csrf)$",
    re.IGNORECASE,
)
# user:password@host in an address, and name=value pairs whose name says that the value is secret.
URL_PASSWORD = re.compile(r"(?P<start>[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", re.IGNORECASE)
PAIR = re.compile(
    r"(?P<name>[\w-]*(?:password|passwd|token|secret|ticket|api_?key|signature|otp|session|authorization))"
    r"(?P<sign>=|%3D|:\s?)(?P<value>[^\s&;,\"']+)",
    re.IGNORECASE,
)
BEARER = re.compile(r"\b(?P<scheme>bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
OUR_TOKEN = re.compile(r"\b(?P<start>pv_[A-Za-z0-9]+)_[\w-]{8,}")
NOISY = (
    *("botocore", "httpx", "httpx2", "httpcore", "httpcore2", "urllib3"),
    *("asyncio", "celery.utils", "kombu", "amqp", "alembic", "mail.log"),
)

Event = MutableMapping[str, Any]


def redacted_text(text: str) -> str:
    """`text` with passwords, tokens and the like taken out, wherever they stand."""
    text = URL_PASSWORD.sub(r"\g<start>:…@", text)
    text = BEARER.sub(rf"\g<scheme> {HIDDEN}", text)
    text = OUR_TOKEN.sub(rf"\g<start>_{HIDDEN}", text)
    return PAIR.sub(rf"\g<name>\g<sign>{HIDDEN}", text)


def redacted_url(url: str) -> str:
    """Path and query of an address, with secret values of the query hidden."""
    parts = urlsplit(url)
    return redacted_text(parts._replace(scheme="", netloc="").geturl())


def redacted(value: Any) -> Any:
    """`value` with what looks secret hidden, at any depth."""
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, dict):
        return {key: HIDDEN if _secret(key, item) else redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item) for item in value]
    return value


def _secret(key: Any, value: Any) -> bool:
    # Numbers and flags named after a secret (`tokens: 3`) say nothing worth hiding.
    return isinstance(key, str) and value is not None and not isinstance(value, bool) and bool(SECRET_KEY.search(key))


def hide_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """The processor that every line goes through last before it is written."""
    cleaned = redacted(dict(event))
    event.clear()
    event.update(cleaned)
    return event


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def configure(level: str = "INFO", *, process: str = "", stream: TextIO | None = None) -> None:
    """Send every log of this process, the libraries' too, through structlog to `stream` (standard error)."""
    shared = _shared()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )

    def name_process(_logger: Any, _method: str, event: Event) -> Event:
        if process:
            event.setdefault("process", process)
        return event

    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_process,
                hide_secrets,
                structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    logging.captureWarnings(capture=True)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one room."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def bind(**values: Any) -> None:
    """Put values (`request_id`, `organisation_id`) on every later line of this request or job."""
    structlog.contextvars.bind_contextvars(**{key: str(value) for key, value in values.items()})


def unbind() -> None:
    """Forget what was bound: a new request or job begins."""
    structlog.contextvars.clear_contextvars()
