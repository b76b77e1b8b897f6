"""Which names an organisation may claim as its mail domain."""

import pytest

from control_plane.identity.mail_domains import PUBLIC, check_domain_name, domain_of
from kit.errors import Refusal


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("acme.example", "acme.example"),
        (" @ACME.Example. ", "acme.example"),
        ("mairie-sèvres.fr", "xn--mairie-svres-4db.fr"),
        ("paris.acme.co.uk", "paris.acme.co.uk"),
        ("acme.co.uk", "acme.co.uk"),
        ("co.com", "co.com"),
    ],
)
def test_a_name_is_taken_in_its_normal_form(given: str, name: str) -> None:
    assert check_domain_name(given) == name


@pytest.mark.parametrize("name", [*sorted(PUBLIC)[:20], "gmail.com", "GMAIL.com.", "orange.fr", "onmicrosoft.com"])
def test_where_anybody_has_a_mailbox_nobody_proves_anything(name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check_domain_name(name)
    assert (refusal.value.code, refusal.value.field) == ("domain_public", "name")


@pytest.mark.parametrize("name", ["co.uk", "com.br", "gouv.fr", "asso.fr", "github.io", "workers.dev"])
def test_what_belongs_to_a_registry_belongs_to_nobody_else(name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check_domain_name(name)
    assert refusal.value.code == "domain_suffix"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "fr",
        "acme",
        "acme..fr",
        "-acme.fr",
        "acme-.fr",
        "a" * 64 + ".fr",
        "acme fr",
        "10.0.0.1",
        "acme.local",
        "a/b.fr",
        "x." * 130 + "fr",
        "acme.fr\x00",
        "*.acme.fr",
        "acme_x.fr",
        "ac\u202eme.fr",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check_domain_name(name)
    assert refusal.value.code == "domain_invalid"


def test_a_mailbox_belongs_to_its_exact_domain() -> None:
    assert domain_of("Jeanne@Sèvres.FR") == domain_of("x@xn--svres-4ra.fr") != domain_of("jeanne@mail.sèvres.fr")
