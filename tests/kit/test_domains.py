"""Names of domains: as people write them, and as DNS knows them, side by side."""

import pytest

from kit.domains import ascii_domain, domain_in_words


@pytest.mark.parametrize("own", ["bücher.example", "mairie-évry.test", "例え.test", "аррӏе.example", "ευ.δοκιμή"])
def test_a_name_in_another_script_is_shown_in_it_with_what_dns_knows(own: str) -> None:
    dns = ascii_domain(own)
    assert dns.isascii()
    # The Cyrillic one reads like a Latin name that somebody else has: what DNS knows tells them apart.
    assert domain_in_words(dns) == f"{own} ({dns})"


def test_letters_from_right_to_left_keep_to_themselves() -> None:
    dns = ascii_domain("بلدية.test")
    assert domain_in_words(dns) == f"\u2068بلدية.test\u2069 ({dns})"


@pytest.mark.parametrize(
    "name",
    [
        "acme.example",
        "",
        # What decodes to nothing, to something else, or to what DNS would write otherwise, is shown as it came.
        "xn--.example",
        "xn--a.example",
        "xn--abc-.example",
        "xn--99999999999.example",
        "xn--bcher-kva.XN--P1AI",
        "a" * 300 + ".xn--p1ai",
        "axn--b.example",
    ],
)
def test_any_other_name_stays_as_it_is(name: str) -> None:
    assert domain_in_words(name) == name
