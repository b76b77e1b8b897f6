"""What our mails say, in the reader's language, and the postman who takes them from the outbox to the mail server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from control_plane import identity, organisations
from control_plane.organisations import NOTICE_DAYS
from control_plane.provisioning import Deliver, Mail
from control_plane.signup import identity_letters
from control_plane.signup.entering import entry_url
from control_plane.signup.models import SignupRequest
from control_plane.signup.service import new_link
from kit.db import transaction
from kit.errors import Refusal
from kit.interface import N_, Translator, render, translator
from kit.interface.formats import date
from kit.mail import Letter, build, send
from kit.settings import ControlPlaneSettings


@dataclass(frozen=True)
class Words:
    """One mail before it is drawn: the same words make its text and its HTML."""

    to: str
    locale: str
    subject: str
    paragraphs: list[str]
    action: tuple[str, str] | None = None
    small: list[str] = field(default_factory=list)


class Writer:
    """Finds the words of each kind of mail. Links are made here, as the mail leaves, so that none is ever stored."""

    def __init__(self, settings: ControlPlaneSettings) -> None:
        self.settings = settings
        self.kinds: dict[str, Callable[[Session, Mail], Words]] = {
            "signup_link": self.signup_link,
            "signup_known": self.signup_known,
            "signup_captured": self.signup_captured,
            "ready": self.ready,
            "closing": self.closing,
            "trial_ending": self.trial_ending,
            "trial_ended": self.trial_ended,
            **dict.fromkeys(identity_letters.KINDS, self.sign_in),
        }

    def write(self, session: Session, mail: Mail) -> Words:
        """The words of a mail; a kind that nobody writes is refused."""
        kind = self.kinds.get(mail.kind)
        if kind is None:
            raise Refusal("unknown_mail", "No mail is known by the name of {kind}.", kind=mail.kind)
        return kind(session, mail)

    def signup_link(self, session: Session, mail: Mail) -> Words:
        """The confirmation link."""
        found = new_link(session, UUID(mail.payload["signup"]))
        if found is None:
            raise Refusal("signup_ended", "This sign-up has ended before its mail could leave.")
        row, token = found
        _ = translator(row.locale)
        return Words(
            row.email,
            row.locale,
            _("Confirm your e-mail address to create your workspace"),
            [
                _("Hello,"),
                _("You asked for a workspace for “{name}”, at {host}.").format(
                    name=row.organisation_name, host=self._host(row.address)
                ),
                _("One click confirms your address; the workspace is ready a few seconds later."),
            ],
            (_("Confirm and create the workspace"), f"{self.settings.site_url}/signup/confirm/{token}"),
            [
                _("The link works once, within 30 minutes. The address is kept for you for 6 hours."),
                _("You did not ask for this? Ignore this mail and nothing happens."),
            ],
        )

    def signup_known(self, session: Session, mail: Mail) -> Words:
        """To a mailbox that has had its trial: the cure, which only this mailbox reads."""
        row = session.get(SignupRequest, UUID(mail.payload["signup"]))
        if row is None:
            raise Refusal("signup_ended", "This sign-up has ended before its mail could leave.")
        _ = translator(row.locale)
        return Words(
            row.email,
            row.locale,
            _("You already have a workspace with Parvis"),
            [
                _("Hello,"),
                _(
                    "You asked for a workspace for “{name}”. With this e-mail address you have had a trial already."
                ).format(name=row.organisation_name),
                _("To use your workspace, open it at its own address and sign in there."),
                _("To open another one, answer this mail: we will go on from there together."),
            ],
            (_("Find my workspace"), f"{self.settings.site_url}/sign-in"),
            [_("You did not ask for this? Ignore this mail and nothing happens.")],
        )

    def signup_captured(self, session: Session, mail: Mail) -> Words:
        """To a mailbox whose organisation has a workspace already: where it is, and whom to ask."""
        row = session.get(SignupRequest, UUID(mail.payload["signup"]))
        found = identity.captured_by(session, row.email) if row else None
        if row is None or found is None:
            raise Refusal("signup_ended", "This sign-up has ended before its mail could leave.")
        _, whose = translator(row.locale), organisations.get(session, found)
        return Words(
            row.email,
            row.locale,
            _("Your organisation has a workspace already"),
            [
                _("Hello,"),
                _("“{name}” has proven that your e-mail's domain is its own, and has a workspace at {host}.").format(
                    name=whose.name, host=self._host(whose.address)
                ),
                _("Sign in there with your organisation's account, or ask one of its administrators to invite you."),
            ],
            (_("Open the workspace"), self.settings.workspace_url(whose.address)),
            [_("You did not ask for this? Ignore this mail and nothing happens.")],
        )

    def ready(self, session: Session, mail: Mail) -> Words:
        """The workspace answers: a link that lets its first administrator in."""
        to, locale, _ = self._addressee(mail)
        name, host = mail.payload["organisation"], self._host(mail.payload["address"])
        assert mail.organisation_id is not None
        link = entry_url(session, self.settings, mail.organisation_id, to)
        return Words(
            to,
            locale,
            _("“{name}” is ready").format(name=name),
            [
                _("Hello {person},").format(person=mail.payload["name"]),
                _("The workspace of “{name}” is open at {host}.").format(name=name, host=host),
                _("You are its first administrator: enter, choose how you sign in, and invite your colleagues."),
            ],
            (_("Enter the workspace"), link),
            [_("This link is for you alone. It works once, within 7 days.")],
        )

    def closing(self, _session: Session, mail: Mail) -> Words:
        """The organisation is ending."""
        to, locale, _ = self._addressee(mail)
        until = _day(mail.payload.get("erase_after"), locale)
        return Words(
            to,
            locale,
            _("The workspace of “{name}” is closing").format(name=mail.payload["organisation"]),
            [
                _("Hello {person},").format(person=mail.payload["name"]),
                _("The workspace of “{name}” is closed to its members from now on.").format(
                    name=mail.payload["organisation"]
                ),
                _("Its files are kept for {days} days, until {day}, and then erased for good.").format(
                    days=NOTICE_DAYS, day=until
                ),
                _("To get the data or to stop the closure, answer this mail before that day."),
            ],
        )

    def trial_ending(self, _session: Session, mail: Mail) -> Words:
        """A reminder."""
        to, locale, _ = self._addressee(mail)
        days = int(mail.payload["days"])
        subject = _.ngettext("{days} day left of your trial", "{days} days left of your trial", days)
        return Words(
            to,
            locale,
            subject.format(days=days),
            [
                _("Hello {person},").format(person=mail.payload["name"]),
                _("The trial of “{name}” ends on {day}.").format(
                    name=mail.payload["organisation"], day=_day(mail.payload.get("trial_ends_at"), locale)
                ),
                _("Without an order the workspace then becomes read only: everybody can still read and download."),
                _("To go on, answer this mail."),
            ],
            (_("Open the workspace"), self.settings.workspace_url(mail.payload["address"])),
        )

    def trial_ended(self, _session: Session, mail: Mail) -> Words:
        """The trial is over."""
        to, locale, _ = self._addressee(mail)
        return Words(
            to,
            locale,
            _("Your trial has ended: “{name}” is read only").format(name=mail.payload["organisation"]),
            [
                _("Hello {person},").format(person=mail.payload["name"]),
                _("From today the workspace is read only. Nothing has been deleted; everybody can read and download."),
                _("To go on working, answer this mail: the workspace opens again as soon as we have your order."),
            ],
            (_("Open the workspace"), self.settings.workspace_url(mail.payload["address"])),
        )

    def sign_in(self, _session: Session, mail: Mail) -> Words:
        """Something about the organisation's sign-in."""
        to, locale, _ = self._addressee(mail)
        subject, paragraphs, action = identity_letters.KINDS[mail.kind](self.settings, locale, mail.payload)
        return Words(to, locale, subject, paragraphs, action)

    def _host(self, address: str) -> str:
        return self.settings.workspace_url(address).partition("://")[2]

    @staticmethod
    def _addressee(mail: Mail) -> tuple[str, str, Translator]:
        if not mail.payload.get("to"):
            raise Refusal("addressee_gone", "This mail has nobody left to go to.")
        locale = str(mail.payload.get("locale", "en"))
        return str(mail.payload["to"]), locale, translator(locale)


def _day(moment: str | None, locale: str) -> str:
    return date(datetime.fromisoformat(moment), locale) if moment else "—"


FOOTER = N_("Parvis, workspaces for organisations")


def draw(words: Words, key: str) -> Letter:
    """Text and HTML of the same words."""
    footer = translator(words.locale)(FOOTER)
    return Letter(
        key=key,
        to=words.to,
        subject=words.subject,
        text=render(words.locale, "signup/mails/mail.txt", mail=words, footer=footer),
        html=render(words.locale, "signup/mails/mail.html", mail=words, footer=footer),
        locale=words.locale,
    )


def postman(engine: Engine, settings: ControlPlaneSettings) -> Deliver:
    """What the worker gives to the outbox: writes each mail anew and hands it to the mail server."""
    writer = Writer(settings)

    def deliver(mail: Mail, mark: Callable[[], None]) -> None:
        with transaction(engine) as session:
            letter = draw(writer.write(session, mail), mail.key)
        send(settings.smtp_url, build(letter, settings.mail_from), mark)

    return deliver
