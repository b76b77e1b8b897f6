"""What to do next, so that people sign in with the organisation's own directory: four steps, read off what is there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from control_plane import identity
from control_plane.console.desk import HOME, Desk
from control_plane.console.permissions import Permission
from control_plane.identity import ConnectionView, DomainView
from kit.interface import N_

STAGES = ("draft", "tested", "pilot", "enforced")


@dataclass(frozen=True)
class Step:
    """One step: `state` is done, now, trouble or waiting; `verb` stands on its button."""

    title: str
    text: str
    verb: str
    href: str
    state: str
    params: dict[str, Any] = field(default_factory=dict)


def way(desk: Desk) -> list[Step]:
    """The four steps as they stand, as far as they are for whoever asks. The first one not done is to be taken now."""
    domains = identity.domains(desk.session, desk.organisation_id)
    connections = identity.connections(desk.session, desk.organisation_id)
    known = [one for one in connections if one.settings]
    furthest = max(known, key=lambda one: STAGES.index(one.stage), default=None)
    steps = [_domain(domains)] if desk.signed.may(Permission.DOMAINS_READ) else []
    if desk.signed.may(Permission.SIGN_IN_READ):
        steps += [_connection(furthest), _test(furthest), _enforce(furthest)]
    open_yet = False
    found = []
    for step, state in steps:
        shown = state if state != "open" else "waiting" if open_yet else "now"
        open_yet = open_yet or shown in {"now", "trouble"}
        found.append(Step(**step, state=shown))
    return found


def _domain(domains: Sequence[DomainView]) -> tuple[dict[str, Any], str]:
    proven = [one.name for one in domains if one.proven]
    failing = [one.name for one in domains if one.state in {"failing", "lost"}]
    step: dict[str, Any] = {"title": N_("Prove your domain"), "verb": N_("Prove a domain"), "href": f"{HOME}/domains"}
    if failing:
        step |= {"text": N_("The record of %(names)s is not found any more."), "params": {"names": ", ".join(failing)}}
        return step | {"verb": N_("See what is missing")}, "trouble"
    if proven:
        return step | {"text": N_("Proven: %(names)s"), "params": {"names": ", ".join(proven)}}, "done"
    return step | {"text": N_("One line in your DNS shows that the domain of your e-mail addresses is yours.")}, "open"


def _connection(furthest: ConnectionView | None) -> tuple[dict[str, Any], str]:
    step: dict[str, Any] = {"title": N_("Connect your directory"), "verb": N_("Connect"), "href": f"{HOME}/sign-in"}
    if furthest is None:
        text = N_("Entra ID, Okta, Google, AD FS, Keycloak, or any other that speaks SAML or OpenID Connect.")
        return step | {"text": text}, "open"
    return step | {"text": N_("Connected: %(name)s"), "params": {"name": furthest.name}}, "done"


def _test(furthest: ConnectionView | None) -> tuple[dict[str, Any], str]:
    step = {
        "title": N_("Test it yourself"),
        "verb": N_("Test"),
        "text": N_("A real sign-in, while nothing changes for anybody."),
        "href": _page(furthest),
    }
    return step, "done" if furthest and furthest.stage != "draft" else "open"


def _enforce(furthest: ConnectionView | None) -> tuple[dict[str, Any], str]:
    step = {
        "title": N_("Enforce it"),
        "verb": N_("Continue"),
        "text": N_("First a pilot with people you choose, then everybody. Two break-glass accounts stay."),
        "href": _page(furthest),
    }
    return step, "done" if furthest and furthest.stage == "enforced" else "open"


def _page(furthest: ConnectionView | None) -> str:
    return f"{HOME}/sign-in/{furthest.id}" if furthest else f"{HOME}/sign-in"
