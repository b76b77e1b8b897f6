"""Mails about an organisation's sign-in: a proof that is gone, certificates that end, enforcement that has reverted.

And about who else would come in: the provider's support, which asks its administrators.
"""

from datetime import datetime
from typing import Any

from kit.domains import domain_in_words
from kit.interface import translator
from kit.interface.formats import date
from kit.settings import ControlPlaneSettings

Parts = tuple[str, list[str], tuple[str, str] | None]


def _day(moment: str, locale: str) -> str:
    return date(datetime.fromisoformat(moment), locale)


def domain_failing(settings: ControlPlaneSettings, locale: str, facts: dict[str, Any]) -> Parts:
    """The record is not to be seen any more; there is time to put it back."""
    _ = translator(locale)
    return (
        _("The proof of {domain} is gone").format(domain=domain_in_words(facts["domain"])),
        [
            _("Hello {person},").format(person=facts["name"]),
            _("The DNS record that proves that {domain} belongs to “{name}” is not there any more.").format(
                domain=domain_in_words(facts["domain"]), name=facts["organisation"]
            ),
            _("Until {day} nothing changes. After that, nobody new of this domain gets in by your directory.").format(
                day=_day(facts["until"], locale)
            ),
            _("Set this TXT record again: {record} with the value {value}").format(
                record=facts["record_name"], value=facts["record_value"]
            ),
        ],
        (_("Open the console"), f"{settings.site_url}/console"),
    )


def domain_lost(settings: ControlPlaneSettings, locale: str, facts: dict[str, Any]) -> Parts:
    """The proof has been away for too long."""
    _ = translator(locale)
    return (
        _("{domain} is not proven any more").format(domain=domain_in_words(facts["domain"])),
        [
            _("Hello {person},").format(person=facts["name"]),
            _("The DNS record of {domain} has been missing for a week: it does not count as yours any more.").format(
                domain=domain_in_words(facts["domain"])
            ),
            _(
                "Who is a member stays one. To prove it again, set this TXT record: {record} with the value {value}"
            ).format(record=facts["record_name"], value=facts["record_value"]),
        ],
        (_("Open the console"), f"{settings.site_url}/console"),
    )


def certificate_expiring(settings: ControlPlaneSettings, locale: str, facts: dict[str, Any]) -> Parts:
    """The provider's last certificate ends soon."""
    _ = translator(locale)
    return (
        _("Sign-in by {connection} ends on {day}").format(
            connection=facts["connection"], day=_day(facts["ends_at"], locale)
        ),
        [
            _("Hello {person},").format(person=facts["name"]),
            _("The certificate of {connection} for “{name}” ends on {day}. After that nobody gets in by it.").format(
                connection=facts["connection"], name=facts["organisation"], day=_day(facts["ends_at"], locale)
            ),
            _("Add the next certificate in the console now: several are accepted at once, so nothing is interrupted."),
        ],
        (_("Open the console"), f"{settings.site_url}/console"),
    )


def connection_reverted(settings: ControlPlaneSettings, locale: str, facts: dict[str, Any]) -> Parts:
    """Nobody who could mend it came in within the hour."""
    _ = translator(locale)
    return (
        _("Sign-in by {connection} is not enforced any more").format(connection=facts["connection"]),
        [
            _("Hello {person},").format(person=facts["name"]),
            _("No administrator of “{name}” came in by {connection} within the hour after it was enforced.").format(
                name=facts["organisation"], connection=facts["connection"]
            ),
            _("So that nobody is shut out, it is back in its pilot: passwords and passkeys work again."),
        ],
        (_("Open the console"), f"{settings.site_url}/console"),
    )


def support_asked(settings: ControlPlaneSettings, locale: str, facts: dict[str, Any]) -> Parts:
    """Support waits for a consent. The way goes by the workspace: only its administrators get further."""
    _ = translator(locale)
    scope = _("to read only") if facts["read_only"] else _("to read and write")
    hours = _.ngettext("{num} hour", "{num} hours", facts["hours"]).format(num=facts["hours"])
    return (
        _("Support asks for access to “{name}”").format(name=facts["organisation"]),
        [
            _("Hello {person},").format(person=facts["name"]),
            _("{staff} of your provider's support would like to look into the workspace of “{name}”.").format(
                staff=facts["staff"], name=facts["organisation"]
            ),
            _("The reason given: {reason}").format(reason=facts["reason"]),
            _("For what: {scope}, for {hours} from your consent on.").format(scope=scope, hours=hours),
            _("Nothing opens unless you or another administrator accepts, under Support access in the console."),
        ],
        (_("Open the console"), f"{settings.workspace_url(facts['address'])}/console?to=support"),
    )


def support_ended(settings: ControlPlaneSettings, locale: str, facts: dict[str, Any]) -> Parts:
    """Nobody of the organisation ended it: its time has passed, or support has given it up."""
    _ = translator(locale)
    return (
        _("Support access to “{name}” has ended").format(name=facts["organisation"]),
        [
            _("Hello {person},").format(person=facts["name"]),
            _("{staff} of your provider's support can look into the workspace of “{name}” no more.").format(
                staff=facts["staff"], name=facts["organisation"]
            ),
            _("What was opened and changed meanwhile is listed under Support access in the console."),
        ],
        (_("Open the console"), f"{settings.workspace_url(facts['address'])}/console?to=support"),
    )


KINDS = {
    "domain_failing": domain_failing,
    "domain_lost": domain_lost,
    "certificate_expiring": certificate_expiring,
    "connection_reverted": connection_reverted,
    "support_asked": support_asked,
    "support_ended": support_ended,
}
