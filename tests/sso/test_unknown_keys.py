"""A provider that signs by a key which nobody knows may have a new one: the control plane hears of it from the cell."""

from uuid import UUID

from tests.sso.providers import Asked, Paper, begin, bring, paper, sign_in
from tests.workspace.houses import House


def told(house: House, connection_id: UUID) -> list[UUID]:
    return [one.organisation_id for one in house.cell.database.unknown_keys(1000) if one.connection_id == connection_id]


def test_a_refusal_for_an_unknown_key_is_told_once_and_nothing_else_is(house: House) -> None:
    provider, changed = paper(), paper(key="tomorrow")
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    assert sign_in(person, provider).url.path == "/"
    asked: Asked = begin(house.stranger(record), provider)
    nonsense = bring(person, provider, {"SAMLResponse": "QQ==", "RelayState": asked.relay_state})
    assert nonsense.status_code in {403, 422}
    assert told(house, provider.connection.id) == [], (
        "the control: who got in, and what is no response, tells of no key"
    )
    for _ in range(2):
        visitor = house.stranger(record)
        by_new_key = Paper(provider.connection, changed.key, provider.entity_id)
        refused = bring(visitor, provider, by_new_key.answer(house, record, begin(visitor, provider)))
        assert refused.status_code in {403, 422}
        assert "You could not be signed in" in refused.text
    assert told(house, provider.connection.id) == [record.organisation_id]


def test_in_a_workspace_that_can_only_be_read_it_is_told_as_well(house: House) -> None:
    provider, changed = paper(), paper(key="tomorrow")
    record = house.workspace(identity=provider.identity(), state="read_only")
    visitor = house.stranger(record)
    by_new_key = Paper(provider.connection, changed.key, provider.entity_id)
    bring(visitor, provider, by_new_key.answer(house, record, begin(visitor, provider)))
    assert told(house, provider.connection.id) == [record.organisation_id]
