"""No key of anybody in a log line, a row, an error or the words of an object, whatever goes wrong."""

import logging

import pytest
from sqlalchemy import text

from tests.mirror.town import BACKUP_SECRET, Org, Town
from tests.storage.between import Fate, standing_between

FATES: list[Fate] = ["pass", "lose the call", "unknown error"]


def told(town: Town, log: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that was logged, printed or written into rows (the sealed settings apart)."""
    with town.engine.connect() as connection:
        rows = [
            str(connection.execute(text(f"select * from {table}")).all())
            for table in ("mirror", "mirror_run", "audit_event")
        ]
    printed = capsys.readouterr()
    return "\n".join([log.text, printed.out, printed.err, *rows, repr(town.seen(town.organisations[0]))])


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("side", ["endpoint", "mirror,endpoint"])
def test_whatever_a_store_answers_no_secret_is_told(
    town: Town, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], fate: Fate, side: str
) -> None:
    caplog.set_level(logging.DEBUG)
    org = town.organisation()
    org.put(b"small", bytes(9 * 1024 * 1024))
    behind = town.endpoint if side == "endpoint" else town.backup_endpoint
    with standing_between(behind) as between:
        between.fate = lambda _number, method, path: "pass" if method == "GET" and "list-type" in path else fate
        town.aim(side, between.endpoint)
        found = town.once(org)
        assert (found.state == "whole") == (fate == "pass")
    everything = told(town, caplog, capsys)
    assert org.name in everything, "the logs of this are looked at"
    for secret in secrets_of(town, org):
        assert secret not in everything


def test_a_wrong_secret_is_not_repeated_either(
    town: Town, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    org = town.organisation()
    org.put(b"one")
    town.sql("update store_key set key_id = 'PVWRONG'")
    assert town.once(org).error_code == "store_key_unknown"
    everything = told(town, caplog, capsys)
    for secret in secrets_of(town, org):
        assert secret not in everything


def secrets_of(town: Town, org: Org) -> list[str]:
    return [BACKUP_SECRET, org.key.secret, town.store.gateway._admin.secret]  # type: ignore[attr-defined]


def test_the_control_a_secret_in_a_line_would_be_seen(
    town: Town, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    org = town.organisation()
    town.settle(org)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("control_plane.storage").debug("for %s", org.key)
    assert org.key.secret not in told(town, caplog, capsys)
    logging.getLogger("control_plane.storage").debug("with %s", org.key.secret)
    assert org.key.secret in told(town, caplog, capsys)
