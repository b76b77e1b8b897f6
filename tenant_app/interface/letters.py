"""What the workspace's mails say, in the reader's language. Text and HTML are made of the same words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.errors import Refusal
from kit.interface import render, translator
from kit.interface.formats import size
from kit.interface.i18n import Translator
from kit.mail import Letter


@dataclass(frozen=True)
class Words:
    """One mail before it is drawn."""

    locale: str
    organisation: str
    subject: str
    paragraphs: list[str]
    action: tuple[str, str]
    small: list[str] = field(default_factory=list)


def _invitation(_: Translator, payload: Mapping[str, Any]) -> Words:
    organisation, inviter = payload["organisation"], payload["inviter"]
    return Words(
        _.locale,
        organisation,
        _("{inviter} invites you to the workspace of {organisation}").format(
            inviter=inviter, organisation=organisation
        ),
        [
            _("Hello,"),
            _("{inviter} invites you to the workspace of {organisation}, to share files there.").format(
                inviter=inviter, organisation=organisation
            ),
        ],
        (_("Join the workspace"), payload["url"]),
        [
            _("The link works once, within seven days."),
            _("You do not know {inviter}? Ignore this mail and nothing happens.").format(inviter=inviter),
        ],
    )


def _password_reset(_: Translator, payload: Mapping[str, Any]) -> Words:
    organisation = payload["organisation"]
    return Words(
        _.locale,
        organisation,
        _("Choose a new password for {organisation}").format(organisation=organisation),
        [
            _("Hello {name},").format(name=payload["name"]),
            _("Somebody asked for a new password for your account in the workspace of {organisation}.").format(
                organisation=organisation
            ),
        ],
        (_("Choose a new password"), payload["url"]),
        [
            _("The link works once, within one hour."),
            _("It was not you? Ignore this mail: your password stays as it is."),
        ],
    )


def _email_changed(_: Translator, payload: Mapping[str, Any]) -> Words:
    organisation = payload["organisation"]
    return Words(
        _.locale,
        organisation,
        _("Your e-mail address at {organisation} has changed").format(organisation=organisation),
        [
            _("Hello {name},").format(name=payload["name"]),
            _(
                "{provider} now gives {email} as your address. From now on your account in the workspace of"
                " {organisation} goes by that one, and mails go there."
            ).format(provider=payload["provider"], email=payload["email"], organisation=organisation),
        ],
        (_("Open your account"), payload["url"]),
        [_("You did not expect this? Tell an administrator of your organisation.")],
    )


def _storage_mark(_: Translator, payload: Mapping[str, Any]) -> Words:
    organisation = payload["organisation"]
    used, limit = size(payload["used"], _.locale), size(payload["limit"], _.locale)
    full = payload["mark"] >= 100
    if full:
        subject = _("The storage of {organisation} is full")
        follows = _("Nothing more can be stored until there is room. What is there stays, and can be read.")
    else:
        subject = _("The storage of {organisation} is filled to {percent} %")
        follows = _("At 100 % uploads are refused; nothing is removed.")
    return Words(
        _.locale,
        organisation,
        subject.format(organisation=organisation, percent=payload["percent"]),
        [
            _("Hello {name},").format(name=payload["name"]),
            _("{used} of {limit} are used.").format(used=used, limit=limit),
            follows,
            _("Empty the trash, remove what nobody needs, or ask for a larger offer."),
        ],
        (_("Open the workspace"), payload["url"]),
        [_("You receive this because you administer this workspace.")],
    )


def _removals_wait(_: Translator, payload: Mapping[str, Any]) -> Words:
    organisation, count = payload["organisation"], payload["count"]
    subject = _.ngettext(
        "{organisation}: the removal of {count} person waits for you",
        "{organisation}: the removal of {count} people waits for you",
        count,
    )
    if payload["again"]:
        first = _(
            "Your directory asked for it some days ago, and nobody has decided yet. They keep their access until then."
        )
    else:
        first = _("Your directory would take access away from more people at once than it may without your consent.")
    return Words(
        _.locale,
        organisation,
        subject.format(organisation=organisation, count=count),
        [
            _("Hello {name},").format(name=payload["name"]),
            first,
            _("Everything beyond {percent} % of your people within an hour waits. See who it is, and decide.").format(
                percent=payload["percent"]
            ),
        ],
        (_("See who, and decide"), payload["url"]),
        [_("You receive this because you administer this workspace.")],
    )


KINDS: dict[str, Callable[[Translator, Mapping[str, Any]], Words]] = {
    "email_changed": _email_changed,
    "invitation": _invitation,
    "password_reset": _password_reset,
    "removals_wait": _removals_wait,
    "storage_mark": _storage_mark,
}


def letter(key: str, kind: str, to: str, locale: str, payload: Mapping[str, Any]) -> Letter:
    """A mail of the outbox as it is sent; a kind that nobody writes is refused."""
    write = KINDS.get(kind)
    if write is None:
        raise Refusal("unknown_mail", "No mail is known by the name of {kind}.", kind=kind)
    words = write(translator(locale), payload)
    return Letter(
        key=key,
        to=to,
        subject=words.subject,
        text=render(words.locale, "workspace/mails/mail.txt", mail=words),
        html=render(words.locale, "workspace/mails/mail.html", mail=words),
        locale=words.locale,
    )
