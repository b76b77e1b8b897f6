from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text

from control_plane import audit, identity
from control_plane.identity import Client, Opened, Staff, StaffSession
from control_plane.identity.attempts import CLIENT_TRIES, TRIES
from kit.credentials import new_token, token_hash
from kit.db import transaction
from kit.errors import Refusal, Refusals
from kit.vault import Vault
from tests.identity.conftest import HERE, PASSWORD, Person


def verbs(engine: Engine) -> list[str]:
    with transaction(engine) as session:
        return [event.verb for event in audit.events(session).items]


def test_a_password_alone_opens_no_door(person: Person) -> None:
    first = person.password()
    assert isinstance(first, Opened)
    signed = person.who(first.token)
    assert signed is not None
    assert not signed.full


def test_password_and_code_open_a_full_session_and_say_so(person: Person) -> None:
    signed = person.who(person.signed_in())
    assert signed is not None
    assert signed.full
    assert "staff.signed_in" in verbs(person.engine)


def test_a_used_code_is_refused_even_by_another_session(person: Person) -> None:
    first, other = person.password(), person.password()
    assert isinstance(first, Opened)
    assert isinstance(other, Opened)
    code = person.now()
    assert isinstance(person.code(first.token, code), Opened)
    again = person.code(other.token, code)
    assert isinstance(again, Refusal)
    assert again.code == "code_refused"


def test_one_code_sent_twice_at_once_is_taken_once(person: Person) -> None:
    tokens = [opened.token for opened in (person.password(), person.password()) if isinstance(opened, Opened)]
    code = person.now()
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda token: person.code(token, code), tokens))
    assert sorted(type(answer).__name__ for answer in answers) == ["Opened", "Refusal"]


def test_each_stage_has_an_id_of_its_own_and_the_one_before_ends(person: Person) -> None:
    first = person.password()
    assert isinstance(first, Opened)
    second = person.code(first.token, person.now())
    assert isinstance(second, Opened)
    assert second.token != first.token
    assert person.who(first.token) is None


def adopting(person: Person, planted: str) -> str:
    """How a careless session layer signs in: it keeps the id that the browser brought. The control of the next test."""
    opened = person.password(replaces=planted)
    assert isinstance(opened, Opened)
    with transaction(person.engine) as session:
        row = session.scalars(select(StaffSession).where(StaffSession.token_hash == token_hash(opened.token))).one()
        row.token_hash = token_hash(planted)
    return planted


def ours(person: Person, planted: str) -> str:
    opened = person.password(replaces=planted)
    assert isinstance(opened, Opened)
    return opened.token


def test_an_id_planted_by_somebody_else_is_never_adopted(person: Person) -> None:
    def planted_id_opens(sign_in: object) -> bool:
        planted = new_token()
        assert person.who(planted) is None
        sign_in(person, planted)  # type: ignore[operator]
        return person.who(planted) is not None

    assert not planted_id_opens(ours)
    assert planted_id_opens(adopting)


def test_signing_in_ends_the_session_that_the_browser_had(person: Person) -> None:
    old = person.signed_in()
    person.password(replaces=old)
    assert person.who(old) is None


def test_five_wrong_passwords_pause_and_say_how_many_are_left(person: Person) -> None:
    left = []
    for _ in range(TRIES):
        answer = person.password("wrong")
        assert isinstance(answer, Refusal)
        left.append(answer.params["left"])
    assert left == [4, 3, 2, 1, 0]
    paused = person.password()
    assert isinstance(paused, Refusal)
    assert paused.code == "sign_in_paused"
    assert paused.status == 429
    assert paused.params["minutes"] == 10


def test_the_pause_ends_and_is_not_prolonged_by_trying(person: Person) -> None:
    for _ in range(TRIES + 3):
        person.password("wrong")
    with transaction(person.engine) as session:
        session.execute(text("update staff_attempt set until = until - interval '10 minutes'"))
    assert isinstance(person.password(), Opened)


def test_guesses_side_by_side_gain_nothing(person: Person) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: person.password("wrong"), range(12)))
    codes = [answer.code for answer in answers if isinstance(answer, Refusal)]
    assert codes.count("sign_in_refused") == TRIES
    assert codes.count("sign_in_paused") == 12 - TRIES


def test_an_unknown_e_mail_answers_and_pauses_like_a_known_one(person: Person) -> None:
    def answers(email: str) -> list[tuple[str, object]]:
        found = []
        for _ in range(TRIES + 1):
            with transaction(person.engine) as session:
                answer = identity.sign_in_by_password(session, email, "wrong", Client("198.51.100.1"))
            assert isinstance(answer, Refusal)
            found.append((answer.code, answer.params.get("left")))
        return found

    assert answers("nobody@parvis.example") == answers(person.staff.email)


def test_one_place_cannot_try_every_account(engine: Engine) -> None:
    def attempt(n: int) -> str:
        with transaction(engine) as session:
            answer = identity.sign_in_by_password(session, f"n{n}@parvis.example", "x", Client("203.0.113.9"))
        assert isinstance(answer, Refusal)
        return answer.code

    with transaction(engine) as session:
        from control_plane.identity import attempts

        for _ in range(CLIENT_TRIES - 1):
            attempts.count(session, "client", "203.0.113.9", allowed=CLIENT_TRIES)
    assert attempt(1) == "sign_in_refused"
    assert attempt(2) == "sign_in_paused"


def test_wrong_codes_pause_too_and_a_new_password_stage_does_not_reset_them(person: Person) -> None:
    codes = []
    for _ in range(TRIES + 1):
        first = person.password()
        assert isinstance(first, Opened)
        answer = person.code(first.token, "000000" if person.now() != "000000" else "000001")
        assert isinstance(answer, Refusal)
        codes.append(answer.code)
    assert codes == ["code_refused"] * TRIES + ["sign_in_paused"]


def test_a_disabled_person_is_out_at_once_and_stays_out(person: Person) -> None:
    token = person.signed_in()
    with transaction(person.engine) as session:
        identity.disable_staff(session, person.staff.id, actor=audit.SYSTEM)
    assert person.who(token) is None
    answer = person.password()
    assert isinstance(answer, Refusal)
    assert answer.code == "sign_in_refused"


def test_what_is_wrong_with_a_new_member_of_staff_is_said_at_once(engine: Engine, vault: Vault) -> None:
    with pytest.raises(Refusals) as refused, transaction(engine) as session:
        identity.create_staff(session, vault, "no mail", "", "king", "short")
    assert {refusal.field for refusal in refused.value.refusals} == {"email", "name", "role", "password"}
    with transaction(engine) as session:
        assert identity.staff_members(session) == []


def test_nobody_has_the_same_e_mail_twice(person: Person, vault: Vault) -> None:
    with pytest.raises(Refusals) as refused, transaction(person.engine) as session:
        identity.create_staff(session, vault, "INES@parvis.example", "Other", "sales", PASSWORD)
    assert refused.value.refusals[0].code == "email_taken"


def test_no_secret_reaches_the_record_or_the_rows(person: Person) -> None:
    person.signed_in()
    with transaction(person.engine) as session:
        events = " ".join(str(event.data) for event in audit.events(session).items)
        row = session.get_one(Staff, person.staff.id)
        stored = f"{row.password} {row.totp_sealed}"
    for secret in (PASSWORD, person.secret):
        assert secret not in events
        assert secret not in stored


def test_a_reset_ends_everything_and_the_next_sign_in_enrols_anew(person: Person) -> None:
    token = person.signed_in()
    with transaction(person.engine) as session:
        identity.reset_staff(session, person.staff.id, "gravier tournesol 77", actor=audit.SYSTEM)
    assert person.who(token) is None
    opened = person.password("gravier tournesol 77")
    assert isinstance(opened, Opened)
    with transaction(person.engine) as session:
        assert not identity.has_second_factor(session, session.get_one(Staff, person.staff.id))


def test_a_session_that_rests_or_lasts_too_long_is_over(person: Person) -> None:
    token = person.signed_in()
    now = datetime.now(UTC)
    with transaction(person.engine) as session:
        assert identity.authenticate(session, token, now=now + timedelta(minutes=61)) is None
        assert identity.authenticate(session, token, now=now + timedelta(minutes=59)) is not None
    with transaction(person.engine) as session:
        session.execute(text("update staff_session set seen_at = now() + interval '13 hours'"))
    with transaction(person.engine) as session:
        assert identity.authenticate(session, token, now=now + timedelta(hours=12, minutes=1)) is None


def test_a_revoked_session_is_refused_at_once_and_others_stay(person: Person) -> None:
    kept, lost = person.signed_in(), person.signed_in()
    with transaction(person.engine) as session:
        signed = identity.authenticate(session, lost)
        assert signed is not None
        assert len(identity.sessions(session, signed.staff)) == 2
        identity.revoke_session(session, signed.staff, identity.public_id_of(signed.session))
    assert person.who(lost) is None
    assert person.who(kept) is not None


def test_nobody_ends_a_session_of_somebody_else(person: Person, vault: Vault) -> None:
    token = person.signed_in()
    with transaction(person.engine) as session:
        other = identity.create_staff(session, vault, "o@parvis.example", "Other", "sales", PASSWORD)
        signed = identity.authenticate(session, token)
        assert signed is not None
        with pytest.raises(Refusal, match="exist"):
            identity.revoke_session(session, other, identity.public_id_of(signed.session))
    assert person.who(token) is not None


def test_another_role_or_password_ends_sessions(person: Person) -> None:
    first, second = person.signed_in(), person.signed_in()
    with transaction(person.engine) as session:
        identity.change_password(
            session, person.staff.id, "gravier tournesol 77", actor=audit.SYSTEM, keep=token_hash(second)
        )
    assert person.who(first) is None
    assert person.who(second) is not None
    with transaction(person.engine) as session:
        identity.change_role(session, person.staff.id, "auditor", actor=audit.SYSTEM)
    assert person.who(second) is None


def test_only_the_hash_of_a_session_is_stored(person: Person) -> None:
    token = person.signed_in()
    with person.engine.connect() as connection:
        rows = str(connection.execute(text("select * from staff_session")).all())
    assert token not in rows
    assert HERE.ip in rows
