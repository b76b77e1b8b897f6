"""How a connection and a trace look to people."""

from typing import Any

from rich.console import Console

from control_plane.commands.tables import card, moment


def connection_card(console: Console, found: dict[str, Any]) -> None:
    """A connection, and what to enter at the provider's."""
    service, saml = found["service"], found["kind"] == "saml"
    settings = found["settings"]
    card(
        console,
        {
            "Connection": f"{found['name']} ({found['kind']}, {found['vendor']})",
            "ID": found["id"],
            "Stage": found["stage"],
            "Goes back to pilot": moment(found["reverts_at"]),
            "Domains": [_domain(name, found) for name in found["domains"]],
            "Pilot": found["pilot"],
            "Provider": settings.get("entity_id") or settings.get("issuer"),
            "Certificates end": moment(found["certificates_until"]),
            "Metadata": found["metadata_url"],
            "Trouble": found["metadata_trouble"],
            "Attributes": [f"{ours} = {theirs}" for ours, theirs in found["attributes"].items()],
            "Groups": [f"{group} → {role}" for group, role in found["roles"].items()],
            "Others": found["otherwise"] or "refused",
            "Enter there: entity id": service["entity_id"] if saml else None,
            "Enter there: ACS URL": service["acs_url"] if saml else None,
            "Enter there: logout": service["slo_url"] if saml else service["logout_url"],
            "Enter there: redirect URI": None if saml else service["redirect_uri"],
        },
    )


def _domain(name: str, found: dict[str, Any]) -> str:
    return name if name in found["proven_domains"] else f"{name} (not proven)"


def trace_card(console: Console, found: dict[str, Any]) -> None:
    """What the latest sign-in or test run went through."""
    checks = found["data"].get("checks", [])
    card(
        console,
        {
            "Latest": f"{found['purpose']}, {moment(found['at'])}",
            "Outcome": found["outcome"],
            "Failed checks": [f"{one['name']}: {one['seen']}" for one in checks if not one["ok"]],
            "What to do": found["failure"]["detail"] if found["failure"] else "",
        },
    )
