"""One whole body of each kind, as the reference shows it. Tests read them as any other body."""

from typing import Any

from control_plane.operator_api import bodies, identity_bodies, support_bodies

REASON = "Contract 42 has ended"
TEAM: dict[str, Any] = {
    "names": {
        "fr": {"name": "Équipe", "description": "Pour une petite équipe."},
        "en": {"name": "Team", "description": "For a small team."},
    },
    "entitlements": {
        "storage_bytes": 50_000_000_000,
        "members": 25,
        "guests": 10,
        "spaces": None,
        "file_bytes": 5_000_000_000,
        "retention_days": 30,
        "features": ["drive"],
        "encryption": "store",
    },
    "terms": {"trial_months": 1, "price_cents": 500, "price_per": "member", "currency": "EUR", "follows": "read_only"},
    "requirements": {"region": None, "qualities": []},
    "public": True,
}
EXAMPLES: dict[type[bodies.Body], dict[str, Any]] = {
    bodies.NewOrganisation: {
        "name": "Mairie de Sèvres",
        "address": "sevres",
        "offer": "public-sector",
        "admin": {"email": "camille@sevres.example", "name": "Camille Martin"},
        "siret": "21750001600019",
        "locale": "fr",
    },
    bodies.OrganisationChange: {"name": "Ville de Sèvres"},
    bodies.Suspension: {"reason": REASON, "kind": "contract"},
    bodies.ReadOnly: {"reason": REASON, "kind": "contract"},
    bodies.Closure: {"reason": REASON},
    bodies.Erasure: {"confirm_address": "sevres"},
    bodies.OfferChange: {"offer": "business"},
    bodies.Trial: {"until": "2027-03-31", "reason": "Waiting for the council's vote"},
    bodies.NewOffer: {"code": "small-team", **TEAM},
    bodies.OfferTerms: TEAM,
    bodies.NewCell: {
        "name": "fr-par-1",
        "region": "fr-par",
        "qualities": ["secnumcloud"],
        "store": {
            "kind": "ceph",
            "endpoint": "https://store.internal.example:7480",
            "public_endpoint": "https://files.parvis.example",
            "admin_key_id": "PARVISADMIN",
            "admin_secret": "secret-of-the-administrator",
            "tenant_keys": True,
        },
    },
    bodies.NewDatabase: {
        "admin_url": "postgresql://parvis@db-2.example:5432/parvis_cell_2",
        "capacity": 2000,
        "spares": 20,
    },
    bodies.KeyRotation: {"kind": "store"},
    bodies.Mirror: {
        "endpoint": "https://backup.example:7480",
        "key_id": "PARVISMIRROR",
        "secret": "secret-of-the-mirror",
        "retention_days": 30,
    },
    bodies.StoreChange: {
        "endpoint": "https://store-2.internal.example:7480",
        "public_endpoint": "https://files.parvis.example",
    },
    bodies.MirrorVerification: {"deep": False},
    bodies.Restoration: {"as_of": "2027-03-01T00:00:00+01:00"},
    identity_bodies.NewDomain: {"name": "sevres.example"},
    identity_bodies.DomainChange: {"capture": False},
    identity_bodies.NewConnection: {
        "kind": "saml",
        "name": "Entra ID",
        "vendor": "entra",
        "domains": ["sevres.example"],
        "roles": {"Parvis administrators": "administrator"},
        "otherwise": "member",
        "metadata_url": "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/"
        "federationmetadata/2007-06/federationmetadata.xml",
    },
    identity_bodies.ConnectionChange: {"pilot": ["camille@sevres.example"]},
    identity_bodies.StageChange: {"stage": "pilot"},
    identity_bodies.KeyStep: {"step": "announce"},
    identity_bodies.PolicyChange: {"second_factor": True, "networks": ["192.0.2.0/24"]},
    identity_bodies.NewScimToken: {"name": "Entra ID", "days": 365},
    identity_bodies.NewSetUpLink: {"purpose": "sign_in", "hours": 72},
    support_bodies.NewSupportAccess: {
        "staff": "ines@provider.example",
        "reason": "Ticket 4711: a folder does not open",
        "read_only": True,
        "hours": 3,
    },
    bodies.TokenOwner: {"staff": "ines@provider.example"},
    bodies.NewToken: {
        "name": "nightly import",
        "scopes": ["organisations:read", "organisations:write"],
        "networks": ["192.0.2.0/24"],
        "expires_at": "2027-03-01T00:00:00+01:00",
    },
}
