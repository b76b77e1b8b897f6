"""Which names an organisation may claim as its mail domain."""

import pytest
from publicsuffixlist import PublicSuffixList

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
        ("acme.github.io", "acme.github.io"),
        ("city.kobe.jp", "city.kobe.jp"),
        ("acme.unheard-of", "acme.unheard-of"),
    ],
)
def test_a_name_is_taken_in_its_normal_form(given: str, name: str) -> None:
    assert check_domain_name(given) == name


@pytest.mark.parametrize("name", [*sorted(PUBLIC)[:20], "gmail.com", "GMAIL.com.", "orange.fr", "onmicrosoft.com"])
def test_where_anybody_has_a_mailbox_nobody_proves_anything(name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check_domain_name(name)
    assert (refusal.value.code, refusal.value.field) == ("domain_public", "name")


REGISTRIES = ["co.uk", "com.br", "gouv.fr", "asso.fr", "GOUV.fr.", "k12.ca.us", "公司.cn", "anything.ck", "c.kobe.jp"]
HOSTS = ["github.io", "workers.dev", "co.com", "s3.eu-west-3.amazonaws.com"]


@pytest.mark.parametrize("name", [*REGISTRIES, *HOSTS])
def test_what_is_a_public_suffix_belongs_to_nobody(name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check_domain_name(name)
    assert (refusal.value.code, refusal.value.field) == ("domain_suffix", "name")
    assert f"such as acme.{domain_of(f'x@{name}')}." in str(refusal.value)


def test_without_the_hosts_of_the_list_some_would_pass() -> None:
    """The control: the registries alone would leave the hosts' names to anybody."""
    registries = PublicSuffixList(only_icann=True)
    assert [name for name in HOSTS if not registries.is_public(name)] == HOSTS


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
