"""The mail catcher's page: a list, one mail, and JSON for scripts. Read only, on loopback, behind the edge."""

import asyncio
import html
import json
import re
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from control_plane.embedded.heads import BadHead, Head, parse
from control_plane.embedded.mails import LINK, Mail, MailFolder

STYLE = Path(__file__).parents[2] / "kit" / "interface" / "static" / "parvis.css"
OWN_STYLE = """
body{max-width:60rem;margin:0 auto;padding:1.5rem 1rem;font:16px/1.5 system-ui,sans-serif}
main ul{list-style:none;padding:0;margin:1rem 0}
main li a{display:flex;gap:.25rem 1rem;flex-wrap:wrap;padding:.75rem .25rem;border-top:1px solid #8884}
main li strong{flex:1 1 20rem}
.text{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}
iframe{width:100%;height:36rem;border:1px solid #8886;border-radius:8px;background:#fff}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dd{margin:0}
"""
POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
# What somebody wrote into a mail runs nothing and loads nothing; its links open in the whole window.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-top-navigation-by-user-activation"
)
ONE = re.compile(r"/messages/([0-9a-f-]{36})(/html)?")

Answer = tuple[int, str, bytes, str]


def _page(title: str, body: str) -> Answer:
    whole = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)} · Parvis</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="stylesheet" href="/mail.css">'
        f"</head><body><main>{body}</main></body></html>"
    )
    return 200, "text/html; charset=utf-8", whole.encode(), POLICY


def _list(mails: list[Mail]) -> Answer:
    lines = "".join(
        f'<li><a href="/messages/{mail.id}"><strong>{html.escape(mail.subject)}</strong>'
        f"<span>{html.escape(', '.join(mail.to))}</span><time>{mail.received_at}</time></a></li>"
        for mail in mails
    )
    none = "<p>No mail yet. Every mail that Parvis sends here ends on this page; none leaves the machine.</p>"
    return _page("Mails", f"<h1>Mails</h1><ul>{lines}</ul>" if mails else f"<h1>Mails</h1>{none}")


def _linked(text: str) -> str:
    parts, end = [], 0
    for found in LINK.finditer(text):
        address = html.escape(found.group())
        parts += [html.escape(text[end : found.start()]), f'<a href="{address}">{address}</a>']
        end = found.end()
    return "".join(parts) + html.escape(text[end:])


def _one(mail: Mail) -> Answer:
    facts = {"From": mail.sender, "To": ", ".join(mail.to), "Received": mail.received_at}
    rows = "".join(f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items())
    framed = (
        f'<h2>As HTML</h2><iframe src="/messages/{mail.id}/html" title="The mail as HTML"></iframe>'
        if mail.html
        else ""
    )
    return _page(
        mail.subject,
        f'<p><a href="/">All mails</a></p><h1>{html.escape(mail.subject)}</h1><dl>{rows}</dl>'
        f'<div class="text">{_linked(mail.text)}</div>{framed}',
    )


def _style() -> bytes:
    with suppress(OSError):
        return STYLE.read_bytes() + OWN_STYLE.encode()
    return OWN_STYLE.encode()


def _json(value: object) -> Answer:
    return 200, "application/json", json.dumps(value, ensure_ascii=False).encode(), POLICY


def answer(folder: MailFolder, head: Head) -> Answer:
    """What a request gets."""
    parts = urlsplit(head.target.decode("latin-1"))
    path, query = unquote(parts.path), parse_qs(parts.query)
    if head.method not in {"GET", "HEAD"}:
        return 405, "text/plain", b"Only reading is possible here.\n", POLICY
    to = query.get("to", [None])[0]
    if path == "/":
        return _list(folder.newest(to))
    if path == "/api/messages":
        return _json([mail.as_json() for mail in folder.newest(to)])
    if path == "/mail.css":
        return 200, "text/css; charset=utf-8", _style(), POLICY
    return _of_one(folder, path)


def _of_one(folder: MailFolder, path: str) -> Answer:
    found = ONE.fullmatch(path.removeprefix("/api"))
    mail = folder.get(found.group(1)) if found else None
    if found is None or mail is None:
        return 404, "text/plain", b"There is no such mail.\n", POLICY
    if path.startswith("/api/"):
        return _json(mail.as_json())
    if found.group(2):
        return 200, "text/html; charset=utf-8", b'<base target="_top">' + mail.html.encode(), MAIL_POLICY
    return _one(mail)


class MailPage:
    """Serves the page to the edge."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                head = parse(await reader.readuntil(b"\r\n\r\n"))
                status, kind, body, policy = answer(self._folder, head)
            except BadHead as bad:
                status, kind, body, policy = bad.status, "text/plain", bad.why.encode(), POLICY
            writer.write(
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\nContent-Security-Policy: {policy}\r\nCache-Control: no-store\r\n"
                "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        writer.close()
