"""Staff by the provider's own OpenID Connect, below its pages: flows of one browser, and whom an answer speaks of."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from control_plane import audit, identity
from control_plane.audit import SYSTEM
from control_plane.identity import Flow, Opened, Staff
from control_plane.identity.attempts import CLIENT_TRIES
from control_plane.identity.models import StaffFlow
from kit.db import transaction, vault_of
from kit.errors import Refusal
from kit.openid import Begun, Claims
from kit.settings import StaffOidc
from tests.identity.conftest import HERE, Person

ISSUER = "https://id.provider.example"
OIDC = StaffOidc(ISSUER, "portal", "secret", roles=(("ops", "operator"), ("help", "support")))
UNMAPPED = StaffOidc(ISSUER, "portal", "secret")
BEGUN = Begun("https://id.provider.example/auth", "the-state", "the-nonce", "the-verifier")
Arrive = Callable[[Session, Claims], Opened | Refusal]


def claims(subject: str = "ines-1", *, issuer: str = ISSUER, **values: Any) -> Claims:
    told = {"email": "ines@parvis.example", "email_verified": True, "name": "Inès Bakkali", **values}
    return Claims(subject, issuer, {name: value for name, value in told.items() if value is not None}, "")


def arrive(person: Person, said: Claims, oidc: StaffOidc = OIDC) -> Opened | Refusal:
    with transaction(person.engine) as session:
        return identity.sign_in_by_claims(session, oidc, said, HERE)


def code_of(answer: object) -> str:
    assert isinstance(answer, Refusal), answer
    return answer.code


def role_of(engine: Engine, email: str) -> str | None:
    with transaction(engine) as session:
        found = identity.find_staff(session, email)
        return found.role if found else None


def begin(engine: Engine, begun: Begun = BEGUN) -> str:
    with transaction(engine) as session:
        secret = identity.begin_flow(session, begun, "/audit", HERE)
    assert isinstance(secret, str)
    return secret


def take(engine: Engine, state: str | None, secret: str | None) -> Flow | Refusal:
    with transaction(engine) as session:
        return identity.take_flow(session, state, secret)


def test_a_flow_ends_once_and_in_its_own_browser(engine: Engine) -> None:
    secret = begin(engine)
    for state, other in (("the-state", "another"), ("the-state", None), ("another", secret), (None, None)):
        assert code_of(take(engine, state, other)) == "sign_in_late"
    # Foreign tries have not used it up.
    flow = take(engine, "the-state", secret)
    assert isinstance(flow, Flow)
    assert flow.next_path == "/audit"
    assert flow.begun.kept() == BEGUN.kept()
    assert code_of(take(engine, "the-state", secret)) == "sign_in_late"


def test_a_flow_ends_in_time(engine: Engine) -> None:
    secret = begin(engine)
    with transaction(engine) as session:
        session.execute(update(StaffFlow).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert code_of(take(engine, "the-state", secret)) == "sign_in_late"


def test_what_is_kept_of_a_flow_tells_nothing(engine: Engine) -> None:
    secret = begin(engine)
    with transaction(engine) as session:
        row = session.execute(text("select staff_flow::text from staff_flow")).scalar_one()
    for told in (secret, "the-state", "the-nonce", "the-verifier"):
        assert told not in row


def test_one_place_does_not_begin_without_end(engine: Engine) -> None:
    for number in range(CLIENT_TRIES):
        begin(engine, Begun("", f"state-{number}", "n", "v"))
    with transaction(engine) as session:
        paused = identity.begin_flow(session, Begun("", "one-more", "n", "v"), "/", HERE)
    assert code_of(paused) == "sign_in_paused"


def test_a_verified_e_mail_links_once_and_then_only_the_subject_counts(person: Person) -> None:
    first = arrive(person, claims())
    assert isinstance(first, Opened)
    signed = person.who(first.token)
    assert signed is not None
    assert signed.full
    assert signed.staff.id == person.staff.id
    renamed = arrive(person, claims(email="else@parvis.example", email_verified=None))
    assert isinstance(renamed, Opened)
    assert renamed.staff.id == person.staff.id
    with transaction(person.engine) as session:
        found = [(one.verb, one.data) for one in audit.events(session).items]
    assert ("staff.linked", {"staff_id": str(person.staff.id), "issuer": ISSUER, "subject": "ines-1"}) in found


def ours(session: Session, said: Claims) -> Opened | Refusal:
    return identity.sign_in_by_claims(session, OIDC, said, HERE)


def by_the_e_mail(session: Session, said: Claims) -> Opened | Refusal:
    """How a careless portal signs in: whoever brings an e-mail is its owner. The control of the next test."""
    staff = session.scalars(select(Staff).where(Staff.email == said.values["email"].lower())).one()
    return identity.complete(session, staff, HERE, "oidc", replaces=None)


@pytest.mark.parametrize(("way", "let_in"), [(ours, False), (by_the_e_mail, True)])
@pytest.mark.parametrize(
    "said",
    [
        claims("mallory-1"),
        claims("ines-1", issuer="https://other.example"),
        claims("INES-1"),
        claims("mallory-1", groups=["ops"]),
        claims("mallory-1", email="INES@parvis.example"),
    ],
)
def test_an_e_mail_takes_no_account_over_that_is_linked(
    person: Person, said: Claims, way: Arrive, let_in: bool
) -> None:
    assert isinstance(arrive(person, claims()), Opened)
    with transaction(person.engine) as session:
        answer = way(session, said)
    assert isinstance(answer, Opened) is let_in
    if not let_in:
        assert code_of(answer) == "staff_linked_elsewhere"


@pytest.mark.parametrize(
    "told",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "no"},
        {"email_verified": 1},
        {"email": None},
        {"email": ["ines@parvis.example"]},
        # The sign of Kelvin becomes a k in lower case: another address, and the same one.
        {"email": "\u212aines@parvis.example"},
        {"email": "ines@parvis.example\nx"},
    ],
)
def test_an_e_mail_that_is_not_verified_links_nobody(person: Person, told: dict[str, Any]) -> None:
    assert code_of(arrive(person, claims(**told))) == "staff_email_unverified"
    assert isinstance(arrive(person, claims(email_verified="true")), Opened)


def test_nobody_is_made_unless_a_role_is_given(person: Person) -> None:
    new = {"email": "new@parvis.example", "name": "Noé"}
    assert code_of(arrive(person, claims("new", **new))) == "staff_unknown"
    assert code_of(arrive(person, claims("new", groups=["strangers", 7, None], **new))) == "staff_unknown"
    assert code_of(arrive(person, claims("new", groups=["ops"], **new), UNMAPPED)) == "staff_unknown"
    assert code_of(arrive(person, claims("new", groups=["ops"], email_verified=False, **new))) == (
        "staff_email_unverified"
    )
    assert role_of(person.engine, "new@parvis.example") is None
    made = arrive(person, claims("new", groups=["help", "ops"], **new))
    assert isinstance(made, Opened)
    # The first pair of the setting that fits counts, not the first group.
    assert role_of(person.engine, "new@parvis.example") == "operator"
    with transaction(person.engine) as session:
        staff = identity.find_staff(session, "new@parvis.example")
        assert staff is not None
        assert staff.password is None
        assert isinstance(identity.sign_in_by_password(session, staff.email, "", HERE), Refusal)


def test_the_provider_s_role_is_followed_and_its_loss_too(person: Person) -> None:
    assert isinstance(arrive(person, claims()), Opened)
    # A role given here stays while the provider says none.
    assert role_of(person.engine, person.staff.email) == "support"
    before = arrive(person, claims(groups="ops"))
    assert isinstance(before, Opened)
    assert role_of(person.engine, person.staff.email) == "operator"
    after = arrive(person, claims(groups=["help"]))
    assert isinstance(after, Opened)
    assert person.who(before.token) is None, "no session keeps the rights of before"
    assert code_of(arrive(person, claims(groups=[]))) == "staff_role_gone"
    assert role_of(person.engine, person.staff.email) == "support"
    assert isinstance(arrive(person, claims(groups=["help"])), Opened)


def test_who_is_disabled_stays_out_linked_or_not(person: Person) -> None:
    assert isinstance(arrive(person, claims()), Opened)
    with transaction(person.engine) as session:
        identity.disable_staff(session, person.staff.id, actor=SYSTEM)
        identity.create_staff(session, vault_of(session), "off@parvis.example", "Off", "sales", None)
        off = identity.find_staff(session, "off@parvis.example")
        assert off is not None
        identity.disable_staff(session, off.id, actor=SYSTEM)
    assert code_of(arrive(person, claims())) == "staff_disabled"
    assert code_of(arrive(person, claims("off", email="off@parvis.example", groups=["ops"]))) == "staff_disabled"
    assert role_of(person.engine, "off@parvis.example") == "sales"
    with transaction(person.engine) as session:
        failed = [one.data for one in audit.events(session).items if one.verb == "staff.sign_in_failed"]
        links = session.scalar(select(func.count()).select_from(text("staff_link")))
    assert {one["reason"] for one in failed} == {"staff_disabled"}
    assert links == 1


def test_a_reset_lets_another_account_of_the_provider_be_linked(person: Person) -> None:
    assert isinstance(arrive(person, claims()), Opened)
    assert code_of(arrive(person, claims("ines-2"))) == "staff_linked_elsewhere"
    with transaction(person.engine) as session:
        identity.reset_staff(session, person.staff.id, identity.draw_password(), actor=SYSTEM)
    assert isinstance(arrive(person, claims("ines-2")), Opened)
    assert code_of(arrive(person, claims())) == "staff_linked_elsewhere"
