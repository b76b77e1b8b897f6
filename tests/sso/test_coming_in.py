"""Signing in by SAML over HTTP: who comes in, as what, and what keeps others out."""

import hashlib

import pytest

from tests.sso.providers import DOMAIN, Paper, begin, bring, paper, sign_in, signed_in, traces
from tests.workspace.houses import House


def test_a_person_of_a_proven_domain_joins_comes_back_and_is_the_same_person(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    assert sign_in(person, provider).url.path == "/"
    assert signed_in(person)
    [(first, kind, name)] = house.rows(
        record, "select id, kind, name from principal where email = %s", f"alice@{DOMAIN}"
    )
    assert (kind, name) == ("m", "Alice")
    # Another e-mail under the same subject is the same person; the same e-mail alone would be nobody.
    again = house.stranger(record)
    assert sign_in(again, provider, mail="alice.married@acme.test").url.path == "/"
    assert house.rows(record, "select count(*) from principal")[0][0] == 2
    [(data,)] = house.rows(
        record, "select data from journal where verb = 'account.signed_in' and object_id = %s limit 1", first
    )
    assert data["connection"] == str(provider.connection.id)
    assert [one["result"]["action"] for one in traces(house, record)] == ["created", "signed_in"]
    assert "alice@acme.test" not in str(house.rows(record, "select hash, data from sso_flow"))


def test_a_person_who_is_here_already_is_linked_once_and_never_to_another_subject(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    house.owner(record)
    here = house.rows(
        record,
        "insert into principal (id, kind, name, email, role)"
        " values (gen_random_uuid(), 'm', 'Bob', %s, 1) returning id",
        f"bob@{DOMAIN}",
    )[0][0]
    assert sign_in(house.stranger(record), provider, "bob-1", mail=f"BOB@{DOMAIN}").url.path == "/"
    assert house.rows(record, "select principal_id from identity_link") == [(here,)]
    # The address was given to a new colleague: the old account stays closed to him.
    answer = sign_in(house.stranger(record), provider, "bob-2", mail=f"bob@{DOMAIN}")
    assert answer.status_code == 403
    assert "belongs to another person" in answer.text


def test_an_unproven_domain_neither_joins_nor_links(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    house.owner(record)
    owner = f"{record.address}@example.org"
    # The last one would end in the proven domain if it were cut to the length that is kept.
    long = "a" * (254 - len(f"@{DOMAIN}")) + f"@{DOMAIN}.evil.example"
    others = (owner, "alice@sub.acme.test", "alice@acme.test.evil.example", "alice@evilacme.test", "@acme.test", long)
    for mail in others:
        person = house.stranger(record)
        answer = sign_in(person, provider, "mallory", mail=mail)
        assert answer.status_code == 403, mail
        assert not signed_in(person)
    assert house.rows(record, "select count(*) from identity_link")[0][0] == 0
    refusals = [one["refusal"] for one in traces(house, record)]
    assert refusals == ["sso_domain_unproven"] * 4 + ["sso_email_missing"] * 2
    # The control: were the owner's domain proven, he would be linked.
    trusting = paper(domains=(DOMAIN, "example.org"))
    other = house.workspace(identity=trusting.identity())
    person = house.stranger(other)
    assert sign_in(person, trusting, "owner", mail=f"{other.address}@example.org").url.path == "/"
    assert traces(house, other)[0]["result"] == {
        "email": f"{other.address}@example.org",
        "role": "owner",
        "name": "Owner",
        "action": "linked",
    }


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"mail": None}, "sso_email_missing", "sent no e-mail address"),
        ({"groups": ["visitors"]}, "sso_no_role", "named no group of yours"),
        ({"format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}, "saml_transient", "transient"),
        ({"audiences": ("https://other.example/",)}, "saml_audience", "udience"),
        ({"not_on_or_after": "2020-01-01T00:00:00Z"}, "saml_", ""),
    ],
)
def test_a_refusal_names_what_failed_and_the_trace_shows_it(
    house: House, given: dict[str, object], code: str, words: str
) -> None:
    provider = paper(roles={"staff": "member", "admins": "administrator"}, otherwise=None)
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    answer = sign_in(person, provider, **given)
    assert answer.status_code in {403, 422}
    assert words in answer.text
    [trace] = traces(house, record)
    assert trace["refusal"].startswith(code)
    assert [one["ok"] for one in trace["checks"]][-1] is False
    number = house.rows(record, "select id from sso_trace")[0][0]
    assert str(number) in answer.text
    assert not signed_in(person)
    # In French too, and without naming the workspace's inside.
    other = house.stranger(record, lang="fr")
    assert "Vous n’avez pas pu être connecté" in sign_in(other, provider, **given).text


def test_groups_give_roles_up_and_down_and_the_owner_keeps_his(house: House) -> None:
    provider = paper(
        domains=(DOMAIN, "example.org"),
        roles={"staff": "member", "admins": "administrator", "visitors": "guest"},
        otherwise="guest",
    )
    record = house.workspace(identity=provider.identity())

    def role(mail: str = f"alice@{DOMAIN}") -> tuple[int, str]:
        found: tuple[int, str] = house.rows(record, "select role, kind from principal where email = %s", mail)[0]
        return found

    for groups, wanted in (
        (["visitors"], (0, "g")),
        (["admins", "staff"], (2, "m")),
        (["staff"], (1, "m")),
        ([], (0, "g")),
    ):
        assert sign_in(house.stranger(record), provider, groups=groups).url.path == "/"
        assert role() == wanted
    owner = f"{record.address}@example.org"
    assert sign_in(house.stranger(record), provider, "boss", mail=owner, groups=["visitors"]).url.path == "/"
    assert role(owner) == (3, "m")


def test_groups_that_the_provider_left_out_take_no_role_away_and_let_nobody_in(house: House) -> None:
    """Entra sends a link instead of more than 150 groups, as ansible/awx issue 4177 shows."""
    provider = paper(roles={"staff": "member", "admins": "administrator"}, otherwise="guest")
    record = house.workspace(identity=provider.identity())
    assert sign_in(house.stranger(record), provider, groups=["admins"]).url.path == "/"
    link = {"mail": [f"alice@{DOMAIN}"], "http://schemas.microsoft.com/claims/groups.link": ["https://graph.example/"]}
    person = house.stranger(record)
    answer = sign_in(person, provider, values=link)
    assert answer.status_code == 403
    assert "left your groups out" in answer.text
    assert not signed_in(person)
    assert traces(house, record)[-1]["refusal"] == "sso_groups_left_out"
    assert "transmis vos groupes" in sign_in(house.stranger(record, lang="fr"), provider, values=link).text
    assert house.rows(record, "select role from principal where email = %s", f"alice@{DOMAIN}") == [(2,)]
    # The control: who is in no group at all becomes what is stated for such people.
    assert sign_in(house.stranger(record), provider, groups=[]).url.path == "/"
    assert house.rows(record, "select role from principal where email = %s", f"alice@{DOMAIN}") == [(0,)]


def test_a_group_that_gives_a_role_counts_however_many_come_before_it(house: House) -> None:
    provider = paper(roles={"admins": "administrator"}, otherwise="guest")
    record = house.workspace(identity=provider.identity())
    groups = [f"group-{number}" for number in range(600)] + ["admins"]
    assert sign_in(house.stranger(record), provider, groups=groups).url.path == "/"
    assert house.rows(record, "select role from principal where email = %s", f"alice@{DOMAIN}") == [(2,)]


def test_seats_are_counted_and_an_invitation_s_own_seat_is_his(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity(), entitlements={"members": 2})
    owner = house.owner(record)
    assert owner.post("/members/invitations", {"emails": f"alice@{DOMAIN}", "role": "1"}).status_code == 200
    refused = sign_in(house.stranger(record), provider, "bob", mail=f"bob@{DOMAIN}")
    assert refused.status_code == 409
    assert "Your offer includes 2 members" in refused.text
    assert sign_in(house.stranger(record), provider).url.path == "/"


def test_without_just_in_time_only_members_come_in(house: House) -> None:
    provider = paper(just_in_time=False)
    record = house.workspace(identity=provider.identity())
    answer = sign_in(house.stranger(record), provider)
    assert answer.status_code == 403
    assert "is not a member" in answer.text


def test_a_read_only_workspace_takes_nobody_new_and_lets_members_in(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    assert sign_in(house.stranger(record), provider).url.path == "/"
    house.change(record, state="read_only")
    assert sign_in(house.stranger(record), provider).url.path == "/"
    assert sign_in(house.stranger(record), provider, "bob", mail=f"bob@{DOMAIN}").status_code == 403
    assert house.rows(record, "select count(*) from principal") == [(2,)]


def test_a_deactivated_person_stays_out(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    sign_in(person, provider)
    house.rows(record, "update principal set disabled_at = now() where email = %s", f"alice@{DOMAIN}")
    assert not signed_in(person)
    assert "is deactivated" in sign_in(house.stranger(record), provider).text


@pytest.mark.parametrize("stage", ["draft", "tested"])
def test_before_the_pilot_only_test_runs_happen_and_they_change_nothing(house: House, stage: str) -> None:
    token = "a-random-token-of-the-console"
    settings = {"test_sha256": hashlib.sha256(token.encode()).hexdigest()}
    provider = paper(stage=stage, settings=settings)
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    closed = person.get(f"/sso/{provider.connection.id}")
    assert closed.status_code == 403
    assert person.get(f"/sso/{provider.connection.id}", params={"test": "guessed"}).status_code == 403
    assert "Acme ID" not in person.get("/sign-in").text

    asked = begin(person, provider, test=token)
    answer = bring(person, provider, provider.answer(house, record, asked))
    assert answer.status_code == 200
    assert "would join this workspace" in answer.text
    assert not signed_in(person)
    assert house.rows(record, "select count(*) from principal")[0][0] == 1
    assert house.rows(record, "select count(*) from identity_link")[0][0] == 0
    asked = begin(person, provider, test=token)
    answer = bring(person, provider, provider.answer(house, record, asked, mail="alice@unproven.test"))
    assert answer.status_code == 403
    assert "has not proven" in answer.text
    late = dict(settings, test_until="2026-01-01T00:00:00+00:00")
    over = house.workspace(identity=paper(stage=stage, settings=late, id=provider.connection.id).identity())
    begun = house.stranger(over).get(f"/sso/{provider.connection.id}", params={"test": token})
    assert begun.status_code == 403
    first, second = traces(house, record)
    assert (first["purpose"], first["outcome"], first["principal_id"]) == ("test", "ok", None)
    assert (second["purpose"], second["outcome"]) == ("test", "sso_domain_unproven")


def test_in_the_pilot_named_people_come_in_and_passwords_still_work(house: House) -> None:
    provider = paper(stage="pilot", pilot=(f"alice@{DOMAIN}",), domains=(DOMAIN, "example.org"))
    record = house.workspace(identity=provider.identity())
    owner = house.owner(record)
    assert sign_in(house.stranger(record), provider).url.path == "/"
    refused = sign_in(house.stranger(record), provider, "bob", mail=f"bob@{DOMAIN}")
    assert refused.status_code == 403
    assert "is not open to bob@acme.test yet" in refused.text
    assert signed_in(owner)


def test_a_trace_hides_what_nobody_mapped(house: House) -> None:
    provider = paper(attributes={"email": "mail"})
    record = house.workspace(identity=provider.identity())
    sign_in(house.stranger(record), provider, values={"mail": [f"alice@{DOMAIN}"], "ssn": ["2-85-05-78-006-084"]})
    [trace] = traces(house, record)
    assert trace["claims"]["mail"] == [f"alice@{DOMAIN}"]
    assert "006-084" not in str(trace)


def test_the_metadata_says_where_answers_go(house: House) -> None:
    provider: Paper = paper()
    record = house.workspace(identity=provider.identity())
    answer = house.stranger(record).get(f"/saml/{provider.connection.id}/metadata")
    assert answer.headers["content-type"].startswith("application/samlmetadata+xml")
    assert f"{house.url(record)}/saml/{provider.connection.id}/acs" in answer.text
