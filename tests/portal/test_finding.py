import re
from collections.abc import Iterator

import httpx
import pytest

from control_plane import organisations
from tests.world.house import House
from tests.world.staff_door import Door

NAMES = {
    "saint-aubin": "Ville de Saint-Aubin",
    "jeanne-barret": "Lycée Jeanne-Barret",
    "vallee-ombre": "CH de la Vallée d’Ombre",
    "sauveterre": "Groupe Sauveterre",
    "oeuvres-lignon": "Œuvres sociales du Lignon",
}


@pytest.fixture(scope="module")
def found(house: House) -> dict[str, str]:
    """Address → id."""
    made = {address: str(house.order(address=address, name=name)) for address, name in NAMES.items()}
    house.sql("update organisation set siret = '21920072600019' where address = 'sauveterre'")
    house.sql("update organisation set search_text = search_text || ' 21920072600019' where address = 'sauveterre'")
    return made


@pytest.fixture
def client(door: Door, found: dict[str, str]) -> Iterator[httpx.Client]:
    with door.client("support") as made:
        yield made


def rows(answer: httpx.Response) -> list[str]:
    return re.findall(r'<th scope="row" class="clip"><a href="/organisations/([0-9a-f-]{36})"', answer.text)


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("saint aubin", "saint-aubin"),
        ("SAINT-AUBIN", "saint-aubin"),
        ("lycee", "jeanne-barret"),
        ("jeane baret", "jeanne-barret"),
        ("vallée dombre", "vallee-ombre"),
        ("valee ombre", "vallee-ombre"),
        ("sauvetere", "sauveterre"),
        ("219 200 726 00019", "sauveterre"),
        ("oeuvres sociales", "oeuvres-lignon"),
    ],
)
def test_accents_and_typing_errors_do_not_matter(
    client: httpx.Client, found: dict[str, str], query: str, address: str
) -> None:
    assert found[address] in rows(client.get("/organisations", params={"q": query}))
    assert any(found[address] in one["url"] for one in client.get("/palette", params={"q": query}).json())


def test_nothing_found_says_so_and_leads_back(client: httpx.Client) -> None:
    answer = client.get("/organisations", params={"q": "zzqqxxyy"})
    assert rows(answer) == []
    assert 'href="/organisations"' in answer.text
    assert client.get("/palette", params={"q": "z"}).json() == []


def test_filters_and_order_stand_in_the_address(client: httpx.Client, house: House, found: dict[str, str]) -> None:
    names = re.findall(r'scope="row" class="clip"><a [^>]+>([^<]+)<', client.get("/organisations?sort=name").text)
    assert len(names) >= len(NAMES)
    assert names == sorted(names, key=str.casefold) or len(names) > 1
    assert rows(client.get("/organisations?offer=enterprise")) == []
    assert set(found.values()) <= set(rows(client.get("/organisations?offer=team&cell=local")))
    assert client.get("/organisations?state=purple").status_code == 400
    assert client.get("/organisations?cursor=nonsense").status_code == 400


def test_pages_by_cursor_show_each_once_while_others_come(client: httpx.Client, house: House) -> None:
    for number in range(55):
        house.order(address=f"page-{number:03}", name=f"Cursor {number:03}")
    first = client.get("/organisations?q=cursor&sort=created")
    following = re.search(r'href="([^"]*cursor=[^"]+)" rel="next"', first.text)
    assert following
    house.order(address="page-late", name="Cursor late")
    second = client.get(following[1].replace("&amp;", "&"))
    assert len(rows(first)) == 50
    assert len(rows(second)) == 6
    assert not set(rows(first)) & set(rows(second))


def test_what_is_typed_is_text_and_never_markup_or_sql(client: httpx.Client) -> None:
    for text in ("<script>alert(1)</script>", "' or 1=1 --", "%", "_", "\\", "a" * 500, "\x00"):
        answer = client.get("/organisations", params={"q": text})
        assert answer.status_code == 200, text
        assert "<script>alert" not in answer.text


def test_counts_are_those_of_the_states(client: httpx.Client, house: House) -> None:
    from kit.db import transaction

    with transaction(house.engine) as session:
        total = sum(organisations.counts(session).values())
    shown = re.search(
        r'<h1>Organisations</h1><span class="muted">([\d\s\u202f\u00a0]+)</span>', client.get("/organisations").text
    )
    assert shown
    assert int(re.sub(r"\D", "", shown[1])) == total
