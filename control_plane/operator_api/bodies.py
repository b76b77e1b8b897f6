"""What scripts send: the bodies of requests. Shapes are checked here; the rules behind them belong to their rooms."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from control_plane.catalogue import Entitlements, Requirements, Terms
from control_plane.identity import Scope

Reason = Annotated[
    str,
    Meta(min_length=3, max_length=500, description="Why; people read it later.", examples=["Contract 42 has ended"]),
]
HoldKind = Annotated[
    Literal["contract", "billing", "technical"],
    Meta(description="Which hold it is; each kind is placed and lifted on its own."),
]
Email = Annotated[str, Meta(min_length=3, max_length=254, examples=["camille@sevres.example"])]
OfferCode = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{1,39}$", description="An offer's code.", examples=["team"])]
Name = Annotated[str, Meta(min_length=1, max_length=120)]
Address = Annotated[str, Meta(pattern="^https?://", max_length=300, examples=["https://store.example:7480"])]
CaFile = Annotated[str, Meta(pattern="^/", max_length=500, examples=["/etc/parvis/store-ca.pem"])]


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON object of a request. A field that it lacks is refused by name."""


class Admin(Body, kw_only=True):
    """The first administrator: receives the entry mail and owns the workspace."""

    email: Email
    name: Annotated[Name, Meta(examples=["Camille Martin"])]


class NewOrganisation(Body, kw_only=True):
    """An organisation to be made."""

    name: Annotated[Name, Meta(description="As people read it.", examples=["Mairie de Sèvres"])]
    address: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=63,
            description="The first label of the workspace's host: 3 to 40 characters of a–z, 0–9 and inner hyphens.",
            examples=["sevres"],
        ),
    ]
    offer: OfferCode
    admin: Admin
    siret: Annotated[
        str | None, Meta(description="14 digits; public-sector offers want it.", examples=["21750001600019"])
    ] = None
    entity_kind: Annotated[str | None, Meta(description="What kind of public body it is.", examples=["commune"])] = None
    locale: Annotated[Literal["fr", "en"], Meta(description="The language of its first mails.")] = "fr"
    cell: Annotated[str | None, Meta(description="A cell's name, to place it by hand.", examples=["fr-par-1"])] = None


class Suspension(Body, kw_only=True):
    """Puts a hold on the organisation that closes its doors; data stays."""

    reason: Reason
    kind: HoldKind = "technical"


class ReadOnly(Body, kw_only=True):
    """Puts a hold on the organisation that refuses writes; everything still reads."""

    reason: Reason
    kind: HoldKind = "technical"


class Closure(Body, kw_only=True):
    """Begins the notice after which the organisation may be erased."""

    reason: Reason


class Erasure(Body, kw_only=True):
    """Removes everything for good, once the notice has passed."""

    confirm_address: Annotated[
        str, Meta(max_length=63, description="The organisation's address, typed again.", examples=["sevres"])
    ]
    force: Annotated[bool, Meta(description="Do not wait for the notice; wants a reason.")] = False
    reason: Annotated[Reason | None, Meta(description="Why, when it is forced.")] = None


class OfferChange(Body, kw_only=True):
    """Moves the organisation to the present version of an offer."""

    offer: OfferCode


class Trial(Body, kw_only=True):
    """A new end of the trial."""

    until: Annotated[date, Meta(description="Its last day, in Paris.", examples=["2027-03-31"])]
    reason: Reason


class Words(Body, kw_only=True):
    """An offer's name and one sentence about it, in one language."""

    name: Name
    description: Annotated[str, Meta(max_length=500)] = ""


class Names(Body, kw_only=True):
    """What people read, per language."""

    fr: Words
    en: Words


class OfferTerms(Body, kw_only=True):
    """One version of an offer: what it grants, costs and asks for."""

    names: Names
    entitlements: Entitlements
    terms: Terms
    requirements: Requirements = msgspec.field(default_factory=Requirements)
    public: Annotated[bool | None, Meta(description="Shown on the public site; left out, it stays as it was.")] = None
    rank: Annotated[Annotated[int, Meta(ge=0, le=10_000)] | None, Meta(description="Its place in the price list.")] = (
        None
    )


class NewOffer(OfferTerms, kw_only=True):
    """A new offer, in its first version."""

    code: OfferCode


class FileStore(Body, kw_only=True, tag_field="kind", tag="files"):
    """An object store that keeps files under a folder, which the control plane reaches too, behind Parvis's gateway."""

    root: Annotated[str, Meta(pattern="^/", max_length=500, examples=["/srv/parvis/store"])]
    endpoint: Annotated[Address | None, Meta(description="Where its gateway answers the cell.")] = None
    public_endpoint: Annotated[Address | None, Meta(description="Where browsers reach it; left out, the same.")] = None


class CephStore(Body, kw_only=True, tag_field="kind", tag="ceph"):
    """A Ceph by its object gateway. It must answer, and know the administrator's key, before the cell is stored."""

    endpoint: Annotated[Address, Meta(description="Where Parvis reaches the gateway.")]
    public_endpoint: Annotated[Address | None, Meta(description="Where browsers reach it; left out, the same.")] = None
    region: Annotated[str, Meta(min_length=1, max_length=60, description="The zone group's name.")] = "default"
    admin_key_id: Annotated[
        str, Meta(min_length=1, max_length=128, description="A user with the caps users=*, buckets=*, metadata=read.")
    ]
    admin_secret: Annotated[
        str, Meta(min_length=1, max_length=200, description="That key's secret. Sealed, and never shown again.")
    ]
    ca_file: Annotated[CaFile | None, Meta(description="Certificates to trust, beside the system's.")] = None
    tenant_keys: Annotated[
        bool, Meta(description="The gateway asks Parvis for organisations' own keys, so offers with them fit here.")
    ] = False


class NewCell(Body, kw_only=True):
    """A cell: a PostgreSQL cluster, its tenant-app processes and an object store in one region."""

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{1,39}$", examples=["fr-par-1"])]
    region: Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{1,39}$", examples=["fr-par"])]
    qualities: Annotated[
        list[Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{1,39}$")]], Meta(max_length=20, examples=[["secnumcloud"]])
    ] = []
    store: FileStore | CephStore


class NewDatabase(Body, kw_only=True):
    """A database to be prepared for tenants: roles, directory and hardening are built from its address alone."""

    admin_url: Annotated[
        str,
        Meta(
            max_length=1000,
            pattern="^postgres(ql)?://",
            description="PostgreSQL ≥ 18 and a role that may create roles. Sealed, and never shown again.",
            examples=["postgresql://parvis@db-2.example:5432/parvis_cell_2"],
        ),
    ]
    capacity: Annotated[int, Meta(ge=1, le=2000, description="Tenants at most.")] = 2000
    spares: Annotated[int, Meta(ge=0, le=200, description="Ready slots kept in stock.")] = 20


class NewToken(Body, kw_only=True):
    """A script's key."""

    name: Annotated[str, Meta(min_length=1, max_length=80, examples=["nightly import"])]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=20, examples=[["organisations:read"]])]
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="With an offset; none never expires.")
    ] = None
    networks: Annotated[
        list[Annotated[str, Meta(max_length=49)]],
        Meta(max_length=50, description="Networks it works from; none means any.", examples=[["192.0.2.0/24"]]),
    ] = []


class TokenOwner(Body, kw_only=True):
    """Who answers for a token."""

    staff: Annotated[
        str,
        Meta(min_length=3, max_length=254, description="E-mail of an operator.", examples=["ines@provider.example"]),
    ]


class KeyRotation(Body, kw_only=True):
    """Which key to change."""

    kind: Annotated[
        Literal["store", "data"],
        Meta(description="`store` opens its account in the object store; `data` seals its secrets and encrypts files."),
    ]


class Mirror(Body, kw_only=True):
    """A second S3 store, apart from the first: each organisation's bucket is copied there by one user's key."""

    endpoint: Annotated[Address, Meta(description="Its gateway; never the store's own.")]
    key_id: Annotated[str, Meta(min_length=1, max_length=128, description="A user there who may own many buckets.")]
    secret: Annotated[
        Annotated[str, Meta(min_length=1, max_length=200)] | None,
        Meta(description="That key's secret. Sealed, never shown again; left out, the known one of this key stays."),
    ] = None
    region: Annotated[str, Meta(min_length=1, max_length=60, description="The zone group's name.")] = "default"
    ca_file: Annotated[CaFile | None, Meta(description="Certificates to trust, beside the system's.")] = None
    retention_days: Annotated[int, Meta(ge=1, le=3650, description="How long it keeps what was deleted.")] = 30
    tenant_keys: Annotated[
        bool, Meta(description="Its gateway asks Parvis for organisations' own keys; else their files are not copied.")
    ] = False


class StoreChange(Body, kw_only=True):
    """What changes about a cell's Ceph; what is left out stays."""

    endpoint: Annotated[Address, Meta(description="Another gateway of the same Ceph.")] | UnsetType = UNSET
    public_endpoint: (
        Annotated[Address | None, Meta(description="Where browsers reach it; null, the same.")] | UnsetType
    ) = UNSET
    admin_key_id: (
        Annotated[str, Meta(min_length=1, max_length=128, description="Another key; its secret comes with it.")]
        | UnsetType
    ) = UNSET
    admin_secret: (
        Annotated[str, Meta(min_length=1, max_length=200, description="Sealed, and never shown again.")] | UnsetType
    ) = UNSET
    ca_file: Annotated[CaFile | None, Meta(description="Certificates to trust; null, the system's.")] | UnsetType = (
        UNSET
    )


class MirrorVerification(Body, kw_only=True):
    """How closely to look."""

    deep: Annotated[bool, Meta(description="Read and compare every byte, not only a few objects.")] = False


class Restoration(Body, kw_only=True):
    """What to put back: all that the store lacks, or less."""

    keys: Annotated[
        Annotated[list[UUID], Meta(min_length=1, max_length=1000)] | None,
        Meta(description="Only these objects, by their ids."),
    ] = None
    as_of: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Only what there was at this moment: what had been deleted before stays away."),
    ] = None


class OrganisationChange(Body, kw_only=True):
    """What changes about it. Its address stays."""

    name: Annotated[Name, Meta(examples=["Ville de Sèvres"])]
