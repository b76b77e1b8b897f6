"""The offers that Parvis ships with. A provider publishes its own versions over them."""

from dataclasses import dataclass, field
from typing import Any

from control_plane.catalogue.terms import Entitlements, Requirements, Terms

GB = 10**9


@dataclass(frozen=True)
class SeedOffer:
    """One offer as shipped."""

    code: str
    rank: int
    names: dict[str, Any]
    entitlements: Entitlements
    terms: Terms
    requirements: Requirements = field(default_factory=Requirements)


def _names(fr: tuple[str, str], en: tuple[str, str]) -> dict[str, Any]:
    return {
        "fr": {"name": fr[0], "description": fr[1]},
        "en": {"name": en[0], "description": en[1]},
    }


SEEDS = (
    SeedOffer(
        "public-sector",
        10,
        _names(
            (
                "Secteur public",
                "Pour les services publics : trois mois offerts, 100 Go, autant de membres et d’invités qu’il faut.",
            ),
            (
                "Public sector",
                "For public services: three months free, 100 GB, as many members and guests as you need.",
            ),
        ),
        Entitlements(
            storage_bytes=100 * GB,
            members=None,
            guests=None,
            spaces=None,
            file_bytes=10 * GB,
            retention_days=30,
            features=("drive", "public_links", "passkeys"),
        ),
        Terms(trial_months=3, price_cents=19_000, price_per="organisation"),
    ),
    SeedOffer(
        "team",
        20,
        _names(
            ("Équipe", "Pour une petite équipe : 20 Go et jusqu’à 15 membres, un mois offert."),
            ("Team", "For a small team: 20 GB and up to 15 members, one month free."),
        ),
        Entitlements(
            storage_bytes=20 * GB,
            members=15,
            guests=15,
            spaces=20,
            file_bytes=2 * GB,
            retention_days=30,
            features=("drive", "passkeys"),
        ),
        Terms(trial_months=1, price_cents=600, price_per="member"),
    ),
    SeedOffer(
        "business",
        30,
        _names(
            ("Entreprise", "Pour une PME : 500 Go, jusqu’à 250 membres, liens publics et 90 jours de corbeille."),
            ("Business", "For a growing company: 500 GB, up to 250 members, public links and 90 days of trash."),
        ),
        Entitlements(
            storage_bytes=500 * GB,
            members=250,
            guests=500,
            spaces=None,
            file_bytes=20 * GB,
            retention_days=90,
            features=("drive", "public_links", "passkeys", "custom_domain"),
        ),
        Terms(trial_months=1, price_cents=1_200, price_per="member"),
    ),
    SeedOffer(
        "enterprise",
        40,
        _names(
            (
                "Grand compte",
                "Pour une grande organisation : 5 To, membres sans limite, authentification unique et SCIM.",
            ),
            (
                "Enterprise",
                "For a large organisation: 5 TB, unlimited members, single sign-on and account provisioning.",
            ),
        ),
        Entitlements(
            storage_bytes=5_000 * GB,
            members=None,
            guests=None,
            spaces=None,
            file_bytes=100 * GB,
            retention_days=180,
            features=("drive", "public_links", "passkeys", "custom_domain", "sso_saml", "sso_oidc", "scim"),
        ),
        Terms(trial_months=0, price_cents=1_600, price_per="member", self_service=False),
    ),
)
