"""A mail leaves once: whatever happens to its sender, nobody gets it twice."""

import contextlib
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from control_plane import provisioning
from control_plane.provisioning import Mail, Outbox
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from tests.world.house import Killed

Mark = Callable[[], None]


class Server:
    """A mail server and a sender that fails as told: at `connect`, at the `mark`, or once the server has `taken` it."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fails: dict[str, BaseException] = {}

    def deliver(self, mail: Mail, mark: Mark) -> None:
        self._fail("connect")
        mark()
        self._fail("mark")
        self.got.append(mail.key)
        self._fail("taken")

    def deliver_without_mark(self, mail: Mail, _mark: Mark) -> None:
        self.got.append(mail.key)
        self._fail("taken")

    def _fail(self, point: str) -> None:
        error = self.fails.pop(point, None)
        if error:
            raise error


@pytest.fixture
def server() -> Server:
    return Server()


def write(engine: Engine, key: str = "ready:1") -> bool:
    with transaction(engine) as session:
        return provisioning.enqueue_mail(session, key, None, "ready", {"to": "jeanne@sevres.example"})


def later(engine: Engine) -> None:
    """Time passes: whatever waits is due."""
    with engine.begin() as connection:
        connection.execute(text("update outbox set due_at = now() where sent_at is null and parked_at is null"))


def row(engine: Engine) -> Outbox:
    with transaction(engine) as session:
        return session.query(Outbox).one()


def test_a_mail_written_twice_under_one_key_leaves_once(engine: Engine, server: Server) -> None:
    assert write(engine)
    assert not write(engine)
    assert provisioning.deliver_due(engine, server.deliver) == 1
    assert provisioning.deliver_due(engine, server.deliver) == 0
    assert server.got == ["ready:1"]


def test_a_mail_of_a_transaction_that_rolled_back_never_leaves(engine: Engine, server: Server) -> None:
    def write_and_die() -> None:
        with transaction(engine) as session:
            provisioning.enqueue_mail(session, "ready:1", None, "ready", {})
            raise Killed

    with pytest.raises(Killed):
        write_and_die()
    assert provisioning.deliver_due(engine, server.deliver) == 0


def test_a_sender_that_dies_before_the_server_has_the_mail_is_repeated(engine: Engine, server: Server) -> None:
    write(engine)
    server.fails["connect"] = Killed()
    with pytest.raises(Killed):
        provisioning.deliver_due(engine, server.deliver)
    assert provisioning.deliver_due(engine, server.deliver) == 0
    later(engine)
    assert provisioning.deliver_due(engine, server.deliver) == 1
    assert server.got == ["ready:1"]


@pytest.mark.parametrize("error", [Killed(), TimeoutError("no answer to DATA")], ids=["killed", "time-out"])
@pytest.mark.parametrize("point", ["mark", "taken"])
def test_a_sender_that_ends_when_the_server_may_have_the_mail_is_not_repeated(
    engine: Engine, server: Server, point: str, error: BaseException
) -> None:
    write(engine)
    server.fails[point] = error
    with contextlib.suppress(Killed):
        provisioning.deliver_due(engine, server.deliver)
    later(engine)
    assert provisioning.deliver_due(engine, server.deliver) == 0
    assert len(server.got) == (point == "taken")
    assert row(engine).parked_at is not None
    assert "not known" in (row(engine).error or "")


def test_without_the_mark_the_same_mail_arrives_twice(engine: Engine, server: Server) -> None:
    """The broken control."""
    write(engine)
    server.fails["taken"] = Killed()
    with pytest.raises(Killed):
        provisioning.deliver_due(engine, server.deliver_without_mark)
    later(engine)
    provisioning.deliver_due(engine, server.deliver_without_mark)
    assert server.got == ["ready:1", "ready:1"]


def test_a_server_that_is_away_is_tried_five_times_and_then_the_mail_is_parked(engine: Engine, server: Server) -> None:
    write(engine)
    for attempt in range(1, 6):
        assert row(engine).parked_at is None, attempt
        server.fails["connect"] = Unavailable("mail_server_away", "connection refused")
        later(engine)
        provisioning.deliver_due(engine, server.deliver)
    assert row(engine).parked_at is not None
    assert row(engine).error == "connection refused"
    assert server.got == []


def test_a_refused_mail_is_parked_and_sent_again_when_somebody_asks(engine: Engine, server: Server) -> None:
    write(engine)
    server.fails["connect"] = Refusal("no_such_mailbox", "This mailbox does not exist.")
    provisioning.deliver_due(engine, server.deliver)
    with transaction(engine) as session:
        (parked,) = provisioning.parked_mails(session)
        assert parked.error == "This mailbox does not exist."
        provisioning.resend(session, parked.id)
    assert provisioning.deliver_due(engine, server.deliver) == 1
    assert server.got == ["ready:1"]


def test_mails_of_an_erased_organisation_are_blanked_and_never_leave(engine: Engine, server: Server) -> None:
    organisation = UUID(int=7)
    with transaction(engine) as session:
        provisioning.enqueue_mail(session, "a", organisation, "ready", {"to": "jeanne@sevres.example"})
        provisioning.forget_mails(session, organisation)
    assert provisioning.deliver_due(engine, server.deliver) == 0
    assert row(engine).payload == {}


def test_two_senders_at_once_share_the_mails(engine: Engine, server: Server) -> None:
    import threading

    for number in range(30):
        write(engine, f"ready:{number}")
    threads = [threading.Thread(target=provisioning.deliver_due, args=(engine, server.deliver)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(server.got) == sorted(f"ready:{number}" for number in range(30))


def test_an_unknown_mail_cannot_be_sent_again(session: Session) -> None:
    with pytest.raises(Refusal, match="does not exist"):
        provisioning.resend(session, UUID(int=1))
