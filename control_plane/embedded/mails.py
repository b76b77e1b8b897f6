"""The mail catcher's store: every mail that the product sends, kept in a folder and read back."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from kit import logs
from kit.ids import new_id

ID = re.compile(r"[0-9a-f-]{36}")
LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")
LARGEST = 20_000_000

log = logs.get("mails")


@dataclass(frozen=True)
class Mail:
    """One mail as it was received. `links` are those of its text, in order."""

    id: str
    received_at: str
    sender: str
    to: list[str]
    subject: str
    text: str
    html: str
    links: list[str]

    def as_json(self) -> dict[str, Any]:
        """The mail for scripts; `from` as mails have it."""
        told = asdict(self)
        told["from"] = told.pop("sender")
        return told


@dataclass(frozen=True)
class MailFolder:
    """Mails as files, one each, named by time."""

    folder: Path

    def keep(self, content: bytes, recipients: list[str]) -> str:
        """Store one mail; a reader sees it whole or not at all."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = str(new_id())
        passing = self.folder / f".{name}"
        envelope = ", ".join(recipients).encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"")
        passing.write_bytes(b"X-Envelope-To: " + envelope + b"\r\n" + content)
        passing.rename(self.folder / f"{name}.eml")
        return name

    def newest(self, to: str | None = None, limit: int = 200) -> list[Mail]:
        """The newest mails first, of one recipient if asked."""
        found: list[Mail] = []
        for mail in self._all():
            if to is None or to.lower() in (address.lower() for address in mail.to):
                found.append(mail)
            if len(found) == limit:
                break
        return found

    def _all(self) -> Iterator[Mail]:
        for path in sorted(self.folder.glob("*.eml"), reverse=True):
            yield self._read(path)

    def get(self, name: str) -> Mail | None:
        """One mail by its id."""
        path = self.folder / f"{name}.eml"
        return self._read(path) if ID.fullmatch(name) and path.exists() else None

    def _read(self, path: Path) -> Mail:
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        text = _part(message, "plain")
        return Mail(
            id=path.stem,
            received_at=datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds"),
            sender=str(message.get("From", "")),
            to=[address for _, address in getaddresses([str(message.get("X-Envelope-To", ""))])],
            subject=str(message.get("Subject", "")),
            text=text,
            html=_part(message, "html"),
            links=LINK.findall(text),
        )


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    return str(body.get_content()) if body is not None else ""


class Catcher:
    """What aiosmtpd calls for each mail."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """Keep one mail."""
        content = envelope.content or b""
        name = self._folder.keep(content if isinstance(content, bytes) else content.encode(), list(envelope.rcpt_tos))
        log.info("caught a mail", mail=name)
        return "250 OK"


def smtp(folder: MailFolder) -> SMTP:
    """One SMTP conversation, for `loop.create_server`."""
    return SMTP(Catcher(folder), data_size_limit=LARGEST, enable_SMTPUTF8=True, hostname="mail.parvis.localhost")
