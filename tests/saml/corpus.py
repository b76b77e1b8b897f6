"""All hostile responses, by families."""

from tests.saml import documents, envelopes, forgeries, wrapping
from tests.saml.hostile import Hostile

FAMILIES = (wrapping, forgeries, envelopes, documents)


def corpus() -> list[Hostile]:
    return [case for family in FAMILIES for case in family.cases()]
