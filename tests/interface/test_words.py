"""Words, figures and dates as people of each language write them."""

import ast
from datetime import UTC, datetime, timedelta

import pytest
from litestar.testing import RequestFactory

from kit.errors import Refusal, Refusals
from kit.interface import check, field_errors, locale_of, translator
from kit.interface.catalogues import _in_python
from kit.interface.formats import ago, date, euros, number, seconds, size
from kit.interface.i18n import french
from kit.interface.pages import environment, initials

WIDE, THIN = "\u00a0", "\u202f"


def test_plain_french_is_set_as_print_has_it() -> None:
    assert french("L'espace de « Sèvres » : 3 Go ; prêt ?") == (
        f"L’espace de «{WIDE}Sèvres{WIDE}»{WIDE}: 3{WIDE}Go{THIN}; prêt{THIN}?"
    )


def test_french_leaves_markup_and_places_alone() -> None:
    assert french('<a href="/terms">n\'existe</a> %(day)s {name}') == '<a href="/terms">n’existe</a> %(day)s {name}'


def test_french_counts_zero_as_one_and_english_does_not() -> None:
    one, many = "%(num)d thing needs another look", "%(num)d things need another look"
    assert translator("fr").ngettext(one, many, 0) == translator("fr").ngettext(one, many, 1)
    assert translator("en").ngettext(one, many, 0) == many


def test_a_refusal_speaks_the_reader_s_language_with_its_places_filled() -> None:
    refusal = Refusal("stock", "A stock has 0 to {most} spares.", field="spares", most=500)
    assert translator("en").words(refusal) == "A stock has 0 to 500 spares."
    assert translator("fr").words(refusal) == "Un stock compte de 0 à 500 emplacements prêts."


def test_every_field_shows_its_first_error() -> None:
    wrong = Refusals(
        [Refusal("a", "First.", field="name"), Refusal("b", "Second.", field="name"), Refusal("c", "All.")]
    )
    assert field_errors(wrong, "en") == {"name": "First.", "form": "All."}


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "wanted"),
    [
        ({"lang": "en"}, "fr", "fr", "en"),
        ({}, "fr", "en-GB", "fr"),
        ({}, None, "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ({}, None, "de-DE,en;q=0.4,fr;q=0.6", "fr"),
        ({}, None, "de", "en"),
        ({"lang": "xx"}, "yy", "fr;q=broken", "fr"),
        ({}, None, "", "en"),
    ],
)
def test_the_language_is_asked_then_kept_then_the_browser_s(
    query: dict[str, str], cookie: str | None, accept: str, wanted: str
) -> None:
    headers = {"accept-language": accept, **({"cookie": f"lang={cookie}"} if cookie else {})}
    assert locale_of(RequestFactory().get("/", headers=headers, query_params=query)) == wanted


@pytest.mark.parametrize(
    ("count", "fr", "en"),
    [
        (0, "0 o", "0 B"),
        (999, "999 o", "999 B"),
        (86_400, "86,4 Ko", "86.4 KB"),
        (999_600, "1 Mo", "1 MB"),
        (61_400_000_000, "61,4 Go", "61.4 GB"),
        (100 * 10**9, "100 Go", "100 GB"),
        (5 * 10**12, "5 To", "5 TB"),
    ],
)
def test_sizes_are_powers_of_ten(count: int, fr: str, en: str) -> None:
    assert size(count, "fr") == fr.replace(" ", WIDE)
    assert size(count, "en") == en.replace(" ", WIDE)


def test_prices_and_numbers_follow_the_language() -> None:
    assert euros(19_000, "fr") == f"190{WIDE}€"
    assert euros(19_050, "en") == "€190.50"
    assert number(55_214, "fr") == f"55{THIN}214"


def test_dates_are_those_of_paris() -> None:
    moment = datetime(2026, 11, 12, 23, 30, tzinfo=UTC)
    assert date(moment, "fr") == "13 novembre 2026"
    assert date(moment, "en", "moment") == "13 Nov 2026, 00:30"


def test_time_gone_by_is_told_up_to_six_days() -> None:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    told = {
        timedelta(seconds=3): "à l’instant",
        timedelta(minutes=8): f"il{WIDE}y{WIDE}a{WIDE}8{WIDE}min",
        timedelta(hours=3): f"il{WIDE}y{WIDE}a{WIDE}3{WIDE}h",
        timedelta(days=1): "hier",
        timedelta(days=4): "il y a 4 jours",
        timedelta(days=11): "12 nov.",
        timedelta(days=400): "19 octobre 2025",
    }
    assert {gone: ago(now - gone, "fr", now) for gone in told} == told
    assert ago(None, "en") == "never"


def test_durations_fit_their_size() -> None:
    assert [seconds(ms, "fr") for ms in (8.2, 140, 83_000, None)] == [
        f"8{WIDE}ms",
        f"0,1{WIDE}s",
        f"1{WIDE}min{WIDE}23{WIDE}s",
        "",
    ]


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Claire Fontenay", "CF"), ("Ville de Saint-Aubin", "VA"), ("acme", "AC"), ("", "?"), ("élan", "ÉL")],
)
def test_two_capitals_stand_for_a_name(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_an_undefined_name_in_a_template_is_an_error() -> None:
    with pytest.raises(Exception, match="undefined"):
        environment("en").from_string("{{ nobody_gave_this }}").render()


def test_what_people_type_is_escaped() -> None:
    drawn = (
        environment("fr").from_string("{% trans name=name %}A {{ name }}{% endtrans %}{{ name }}").render(name="<b>")
    )
    assert "<b>" not in drawn


def test_sentences_of_refusals_are_found_where_they_stand() -> None:
    source = """
message = "In a variable." if a else "Or another."
raise Refusal("code", message, field="x")
raise Refusal("code", "In its place.")
_("Shown."); ngettext("One", "Many", n)
log("Not shown.")
"""
    assert set(_in_python(ast.parse(source))) == {
        "In a variable.",
        "Or another.",
        "In its place.",
        "Shown.",
        ("One", "Many"),
    }


def test_a_translation_that_loses_a_place_is_found() -> None:
    assert list(check._same_places("room", "Until %(day)s.", "Jusqu’au %(day)s.")) == []
    assert list(check._same_places("room", "Until %(day)s.", "Jusqu’alors."))
    assert list(check._same_places("room", "From {a}.", "De {b}."))
