"""The mail catcher: keeps each mail whole, shows it harmlessly, gives scripts its links."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from control_plane.embedded.heads import parse
from control_plane.embedded.mail_page import answer
from control_plane.embedded.mails import MailFolder
from tests.world.product import Product


def mail(to: str = "ann@acme.example", html: str = "") -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Parvis <bonjour@parvis.localhost>", to, "Confirmez à <b>Sèvres</b>"
    made.set_content("Bonjour,\n\nhttp://parvis.localhost:8080/signup/confirm/abc.\n(http://a.example/x?y=1&z=2)\n")
    if html:
        made.add_alternative(html, subtype="html")
    return made.as_bytes()


def ask(folder: MailFolder, target: str, method: str = "GET") -> tuple[int, str, str, str]:
    head = parse(f"{method} {target} HTTP/1.1\r\nHost: mail.parvis.localhost\r\n\r\n".encode())
    status, kind, body, policy = answer(folder, head)
    return status, kind, body.decode(), policy


@pytest.fixture
def folder(tmp_path: Path) -> MailFolder:
    return MailFolder(tmp_path / "mails")


def test_a_mail_is_kept_with_its_links(folder: MailFolder) -> None:
    kept = folder.get(folder.keep(mail(), ["ann@acme.example", "bob@acme.example"]))
    assert kept is not None
    assert kept.subject == "Confirmez à <b>Sèvres</b>"
    assert kept.to == ["ann@acme.example", "bob@acme.example"]
    assert kept.links == ["http://parvis.localhost:8080/signup/confirm/abc", "http://a.example/x?y=1&z=2"]
    assert kept.as_json()["from"] == "Parvis <bonjour@parvis.localhost>"


def test_the_newest_stands_first_and_a_recipient_can_be_asked_for(folder: MailFolder) -> None:
    for number in range(3):
        folder.keep(mail(), [f"p{number}@acme.example"])
    assert [one.to[0] for one in folder.newest()] == ["p2@acme.example", "p1@acme.example", "p0@acme.example"]
    assert [one.to[0] for one in folder.newest("P1@acme.example")] == ["p1@acme.example"]


def test_an_envelope_cannot_add_header_lines(folder: MailFolder) -> None:
    kept = folder.get(folder.keep(mail(), ["a@b.example\r\nSubject: forged"]))
    assert kept is not None
    assert kept.subject == "Confirmez à <b>Sèvres</b>"


def test_a_page_escapes_what_people_wrote_and_runs_no_script(folder: MailFolder) -> None:
    name = folder.keep(mail(html="<script>alert(1)</script><p>hi"), ["<img src=x onerror=alert(1)>@x.example"])
    for target in ("/", f"/messages/{name}"):
        status, kind, body, policy = ask(folder, target)
        assert (status, kind) == (200, "text/html; charset=utf-8")
        assert "<b>Sèvres" not in body
        assert "<img" not in body
        assert "<script" not in body
        assert "script-src" not in policy
        assert "default-src 'none'" in policy
    _, _, body, policy = ask(folder, f"/messages/{name}/html")
    assert "<script>" in body
    assert "sandbox allow-top-navigation-by-user-activation" in policy
    assert "allow-scripts" not in policy


@pytest.mark.parametrize(
    "target", ["/nothing", "/messages/../../etc/passwd", "/messages/..%2f..%2fx", "/messages/0", "/api/messages/x"]
)
def test_what_is_no_mail_is_404(folder: MailFolder, target: str) -> None:
    assert ask(folder, target)[0] == 404


def test_only_reading_is_possible(folder: MailFolder) -> None:
    assert ask(folder, "/", "POST")[0] == 405


def test_the_product_catches_what_is_sent_by_smtp(product: Product) -> None:
    environment = Path(f"/proc/{product.pids()['worker']}/environ").read_bytes().split(b"\0")
    port = int(next(one for one in environment if one.startswith(b"PARVIS_SMTP_URL=")).rpartition(b":")[2])
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("bonjour@parvis.localhost", ["smtp@acme.example"], mail("smtp@acme.example"))
    assert product.wait_for_mail("smtp@acme.example")["subject"] == "Confirmez à <b>Sèvres</b>"
