"""Mails on the wire: built with text and HTML side by side, sent by SMTP, and never believed sent twice."""

import hashlib
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from email.utils import formatdate, parseaddr
from urllib.parse import unquote, urlsplit

from kit.errors import Refusal, Unavailable

TIMEOUT = 20


@dataclass(frozen=True)
class Letter:
    """What a person receives. `key` is unique for good: it makes the Message-ID."""

    key: str
    to: str
    subject: str
    text: str
    html: str
    locale: str = "en"


def build(letter: Letter, sender: str) -> EmailMessage:
    """The message as it travels. A line break in a header's value is an error, never another header."""
    message = EmailMessage(policy=POLICY)
    domain = parseaddr(sender)[1].rpartition("@")[2]
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = f"<{hashlib.sha256(letter.key.encode()).hexdigest()[:40]}@{domain}>"
    message["Content-Language"] = letter.locale
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return message


def _connect(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    host = parts.hostname or ""
    trust = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT, context=trust)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=trust)
            server.ehlo()
    server.ehlo_or_helo_if_needed()
    if parts.username:
        # A password is never sent over a line that anybody can read.
        if parts.scheme != "smtps" and not isinstance(server.sock, ssl.SSLSocket):
            server.close()
            raise Refusal("mail_not_private", "The mail server offers no encryption, so the password was not sent.")
        server.login(unquote(parts.username), unquote(parts.password or ""))
    return server


def send(url: str, message: EmailMessage, mark: Callable[[], None]) -> None:
    """Hand a message to the server of `url`. `mark` is called right before the byte after which it may have arrived.

    A lasting no of the server is a `Refusal`, a passing one or no answer `Unavailable`.
    """
    sender = parseaddr(str(message["From"]))[1]
    recipient = parseaddr(str(message["To"]))[1]
    try:
        server = _connect(url)
    except (OSError, smtplib.SMTPException) as error:
        raise _trouble(error) from error
    try:
        try:
            _accepted(server.mail(sender))
            _accepted(server.rcpt(recipient))
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise _trouble(error) from error
        mark()
        _accepted(server.data(message.as_bytes()))
    except smtplib.SMTPResponseException as error:
        raise _trouble(error) from error
    finally:
        _leave(server)


def _accepted(answer: tuple[int, bytes]) -> None:
    code, words = answer
    if code not in {250, 251}:
        raise smtplib.SMTPResponseException(code, words)


def _trouble(error: Exception) -> Refusal | Unavailable:
    if isinstance(error, UnicodeError) or (isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500):
        return Refusal("mail_refused", "The mail server refuses this mail: {words}", words=str(error)[:300])
    return Unavailable("mail_unavailable", f"{type(error).__name__}: {error}"[:300])


def _leave(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()
