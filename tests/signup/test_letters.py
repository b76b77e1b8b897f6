"""What our mails say, and how they travel: to a real SMTP server that accepts, refuses, or is not there."""

import email
import email.policy
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Engine

from control_plane import provisioning, signup
from control_plane.provisioning import Mail
from control_plane.signup.identity_letters import KINDS
from control_plane.signup.letters import Words, Writer, draw
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from kit.ids import new_id
from kit.mail import Letter, build, send
from kit.settings import ControlPlaneSettings
from tests.signup.conftest import Site

SENDER = "Parvis <bonjour@parvis.localhost>"
PAYLOAD = {
    "to": "claire@saint-aubin.fr",
    "name": "Claire Fontenay",
    "organisation": "Ville <b>de</b> Sèvres",
    "address": "sevres",
    "days": 7,
    "trial_ends_at": "2027-02-23T22:59:59+00:00",
    "erase_after": "2026-12-14T22:59:59+00:00",
    "domain": "sevres.example",
    "record_name": "_parvis-challenge.sevres.example",
    "record_value": "parvis-verification=x",
    "until": "2026-12-14T22:59:59+00:00",
    "connection": "Entra ID",
    "ends_at": "2026-12-14T22:59:59+00:00",
    "staff": "Inès Bakkali",
    "reason": "Ticket 4711: a folder <does> not open",
    "read_only": True,
    "hours": 3,
}


class Catcher:
    """Keeps what it accepts; answers as told."""

    def __init__(self) -> None:
        self.kept: list[EmailMessage] = []
        self.to_recipient = "250 OK"
        self.to_data = "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.to_data.startswith("250"):
            self.kept.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
        return self.to_data


@pytest.fixture
def catcher() -> Iterator[tuple[Catcher, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Catcher()
    controller = Controller(made, hostname="127.0.0.1", port=port)
    controller.start()
    yield made, f"smtp://127.0.0.1:{port}"
    controller.stop()


def letter(**fields: str) -> Letter:
    return Letter(
        **{"key": "k", "to": "claire@x.fr", "subject": "Prêt", "text": "Bonjour", "html": "<p>Bonjour</p>", **fields}
    )


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("kind", ["ready", "closing", "trial_ending", "trial_ended", *KINDS])
def test_each_mail_has_text_and_html_of_the_same_words(
    engine: Engine, settings: ControlPlaneSettings, kind: str, locale: str
) -> None:
    mail = Mail(new_id(), f"{kind}:1", uuid4(), kind, {**PAYLOAD, "locale": locale})
    with transaction(engine) as session:
        words = Writer(settings).write(session, mail)
    drawn = draw(words, mail.key)
    assert words.subject
    assert "{" not in words.subject + "".join(words.paragraphs)
    assert "Ville <b>de</b> Sèvres" in drawn.text or kind in {"trial_ended", "domain_lost"}
    assert "<b>de</b>" not in drawn.html
    assert ("Bonjour Claire Fontenay," if locale == "fr" else "Hello Claire Fontenay,") in drawn.text
    if words.action:
        assert words.action[1] in drawn.text
        assert f'href="{words.action[1]}"' in drawn.html


@pytest.mark.parametrize("kind", ["domain_failing", "domain_lost"])
def test_a_mail_names_a_domain_in_its_own_script_with_what_dns_knows(settings: ControlPlaneSettings, kind: str) -> None:
    subject = KINDS[kind](settings, "en", PAYLOAD | {"domain": "xn--bcher-kva.example"})[0]
    assert "bücher.example (xn--bcher-kva.example)" in subject


def test_the_words_of_both_languages_differ(engine: Engine, settings: ControlPlaneSettings) -> None:
    def subject(locale: str) -> str:
        with transaction(engine) as session:
            mail = Mail(new_id(), "t", None, "trial_ending", {**PAYLOAD, "locale": locale})
            return Writer(settings).write(session, mail).subject

    assert subject("fr").replace("\u00a0", " ") == "Il reste 7 jours à votre essai"
    assert subject("en") == "7 days left of your trial"


def test_a_mail_to_nobody_and_an_unknown_kind_are_refused(engine: Engine, settings: ControlPlaneSettings) -> None:
    writer = Writer(settings)
    for kind, payload in (("closing", {}), ("birthday", PAYLOAD)):
        with pytest.raises(Refusal), transaction(engine) as session:
            writer.write(session, Mail(new_id(), "k", None, kind, dict(payload)))


def test_a_mail_arrives_as_it_was_written(catcher: tuple[Catcher, str]) -> None:
    kept, url = catcher
    marked: list[int] = []
    send(url, build(letter(subject="Prêt : « Sèvres »"), SENDER), lambda: marked.append(len(kept.kept)))
    (message,) = kept.kept
    assert message["Subject"] == "Prêt : « Sèvres »"
    assert message["From"] == SENDER
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    # Marked before it was there: from then on it may have arrived.
    assert marked == [0]


def test_a_repeated_mail_is_known_by_its_message_id() -> None:
    first, again, other = (build(letter(key=key), SENDER)["Message-ID"] for key in ("a", "a", "b"))
    assert first == again != other


@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_line_break_makes_no_header(field: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)newline|linefeed|carriage"):
        build(letter(**{field: "claire@x.fr\r\nBcc: everybody@x.fr"}), SENDER)


@pytest.mark.parametrize(
    ("where", "answer", "failure"),
    [
        ("to_recipient", "550 No such mailbox", Refusal),
        ("to_recipient", "451 Try later", Unavailable),
        ("to_data", "554 Spam", Refusal),
        ("to_data", "452 Full", Unavailable),
    ],
)
def test_a_lasting_no_is_a_refusal_and_a_passing_one_is_tried_again(
    catcher: tuple[Catcher, str], where: str, answer: str, failure: type[Exception]
) -> None:
    kept, url = catcher
    setattr(kept, where, answer)
    marked: list[bool] = []
    with pytest.raises(failure):
        send(url, build(letter(), SENDER), lambda: marked.append(True))
    assert bool(marked) == (where == "to_data")
    assert kept.kept == []


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(Unavailable, match="mail_unavailable"):
        send("smtp://127.0.0.1:9", build(letter(), SENDER), lambda: None)


def test_a_password_is_not_sent_over_an_open_line(catcher: tuple[Catcher, str]) -> None:
    _, url = catcher
    with pytest.raises(Refusal, match="no encryption"):
        send(url.replace("//", "//user:secret@"), build(letter(), SENDER), lambda: None)


def test_the_postman_takes_a_sign_up_s_mail_from_the_outbox_to_the_server(
    site: Site, catcher: tuple[Catcher, str]
) -> None:
    import dataclasses

    kept, url = catcher
    site.sign_up("fr")
    settings = dataclasses.replace(site.settings, smtp_url=url)
    deliver = signup.postman(site.engine, settings)
    assert provisioning.deliver_due(site.engine, deliver) == 1
    assert provisioning.deliver_due(site.engine, deliver) == 0
    (message,) = kept.kept
    assert message["To"] == "claire.fontenay@saint-aubin.fr"
    body = message.get_body(("plain",))
    assert body
    path = next(line for line in body.get_content().split() if "/signup/confirm/" in line).partition(":8080")[2]
    assert site.post(path).status_code == 303


def test_words_are_drawn_in_both_forms() -> None:
    drawn = draw(Words("a@b.fr", "en", "S", ["One & two."], ("Go", "http://x.localhost/?a=1&b=2"), ["Small."]), "k")
    assert "One & two." in drawn.text
    assert "One &amp; two." in drawn.html
    assert "http://x.localhost/?a=1&b=2" in drawn.text
