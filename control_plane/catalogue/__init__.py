"""What is sold: offers, versioned; what they grant, cost and ask for."""

from control_plane.catalogue.service import OfferView, current, offers, publish, retire, seed, version, versions
from control_plane.catalogue.terms import Encryption, Entitlements, Requirements, Terms

__all__ = [
    "Encryption",
    "Entitlements",
    "OfferView",
    "Requirements",
    "Terms",
    "current",
    "offers",
    "publish",
    "retire",
    "seed",
    "version",
    "versions",
]
