"""Mail domains in any script: what a provider sends, a directory pushes and somebody types is one address."""

import pytest

from kit.domains import ascii_domain
from tenant_app.accounts.people import LONGEST_EMAIL, normal_email, whole_email
from tests.sso.providers import paper, sign_in, signed_in, traces
from tests.workspace.houses import House

DOMAIN = "mairie-évry.test"
AS_DNS = "xn--mairie-vry-h7a.test"


def test_a_provider_that_writes_the_domain_in_letters_brings_the_person_of_the_proven_one(house: House) -> None:
    provider = paper(domains=(AS_DNS,))
    record = house.workspace(identity=provider.identity())
    house.owner(record)
    person = house.stranger(record)
    assert sign_in(person, provider, "alice", mail=f"Alice@{DOMAIN.upper()}").url.path == "/"
    assert signed_in(person)
    assert house.rows(record, "select email from principal where role < 3") == [(f"alice@{AS_DNS}",)]
    # Enforcement governs who types it in letters, too.
    typed = {"email": f"bob@{DOMAIN}", "password": "quatre pommes vertes"}
    refused = house.stranger(record).http.post("/sign-in", data=typed)
    plain = house.stranger(record).http.post("/sign-in", data=typed | {"email": f"bob@{AS_DNS}"})
    assert refused.status_code == plain.status_code == 403
    assert "Acme ID" in refused.text


@pytest.mark.parametrize("look_alike", ["mairie-еvry.test", "mairie-évry.test.evil.example", "mairie-évr\u200by.evil"])
def test_a_domain_that_only_looks_like_the_proven_one_is_another(house: House, look_alike: str) -> None:
    provider = paper(domains=(AS_DNS,))
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    assert sign_in(person, provider, "mallory", mail=f"alice@{look_alike}").status_code == 403
    assert not signed_in(person)
    assert traces(house, record)[0]["refusal"] in {"sso_domain_unproven", "sso_email_missing"}


def test_an_address_that_grows_too_long_by_it_is_none() -> None:
    assert ascii_domain("MAIRIE-ÉVRY.test ") == AS_DNS
    assert ascii_domain("-é-.test" + "é" * 300) == ""
    assert normal_email(f" Alice@{DOMAIN} ") == f"alice@{AS_DNS}"
    assert normal_email("josé") == "josé", "what has no domain stays"
    long = "a" * (LONGEST_EMAIL - len(f"@{DOMAIN}")) + f"@{DOMAIN}"
    assert len(long) == LONGEST_EMAIL
    assert whole_email(long) == ""
    assert whole_email(f"alice@{DOMAIN}") == f"alice@{AS_DNS}"
