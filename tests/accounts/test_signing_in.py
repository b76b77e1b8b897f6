"""Passwords, one-time codes, mailed links, sessions and their end."""

from urllib.parse import urlsplit

import pyotp

from tests.workspace.houses import CSRF, PASSWORD, House, Person, together

WRONG = "Nuage-Cerise-Bateau-7"


def sign_in(person: Person, email: str, password: str, **options: str) -> object:
    return person.http.post("/sign-in", data={"email": email, "password": password, **options})


def test_a_password_opens_and_leads_to_the_page_that_was_wanted(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    person = house.stranger(record)
    wanted = person.get("/members")
    assert wanted.url.path == "/sign-in"
    assert wanted.url.params["next"] == "/members"
    answer = sign_in(person, owner.email.upper() + " ", PASSWORD, next="/members")
    assert answer.url.path == "/members"


def test_the_way_on_never_leaves_this_host(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    for away in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/evil"):
        answer = sign_in(house.stranger(record), owner.email, PASSWORD, next=away)
        assert answer.url.host == record.hosts[0]
        assert answer.url.path == "/"


def test_the_way_on_may_be_named_in_any_script(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    person = house.stranger(record)
    sent = person.http.post(
        "/sign-in",
        data={"email": owner.email, "password": PASSWORD, "next": "/drive?q=été 日本"},
        follow_redirects=False,
    )
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/drive?q=")


def test_coming_in_again_ends_what_the_browser_had_before(house: House) -> None:
    """Its cookie is replaced; a copy that somebody took must not go on."""
    record = house.workspace()
    owner = house.owner(record)
    other = house.stranger(record)
    sign_in(other, owner.email, PASSWORD)
    ways = {
        "password": lambda: owner.post("/sign-in", {"email": owner.email, "password": PASSWORD}),
        "ticket": lambda: owner.get("/enter", params={"ticket": house.ticket(record)}),
    }
    for way, come_in in ways.items():
        thief = house.stranger(record)
        thief.http.cookies.set("parvis", owner.http.cookies["parvis"])
        assert thief.get("/account").url.path == "/account", "the control: it is worth something before"
        assert come_in().url.path == "/", way
        assert thief.get("/account").url.path == "/sign-in", way
        assert owner.get("/account").url.path == "/account", way
    assert other.get("/account").url.path == "/account", "another browser of his goes on"


def test_wrong_passwords_count_down_to_a_pause_and_unknown_people_get_the_same_answers(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)

    def tries(email: str) -> list[tuple[int, str]]:
        seen = []
        for _ in range(6):
            answer = sign_in(house.stranger(record), email, WRONG)
            text = answer.text[answer.text.index('id="password-e"') :]
            seen.append((answer.status_code, text[: text.index("</p>")]))
        return seen

    known, unknown = tries(owner.email), tries("nobody@example.org")
    assert known == unknown
    assert "4 tries are left before a pause of 10 minutes" in known[0][1]
    assert "One try is left" in known[3][1]
    assert known[4][0] == known[5][0] == 429
    # The right password waits too.
    assert sign_in(house.stranger(record), owner.email, PASSWORD).status_code == 429
    house.rows(record, "update attempt set until = now() - interval '1 second'")
    assert sign_in(house.stranger(record), owner.email, PASSWORD).url.path == "/"


def test_thirty_guesses_at_once_are_still_five(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    clients = [house.client(record) for _ in range(30)]
    data = {"email": owner.email, "password": WRONG}
    answers = together([lambda c=c: c.post("/sign-in", data=data) for c in clients])
    assert sum(a.status_code == 422 for a in answers) == 4  # the fifth wrong one already tells of the pause
    assert all(a.status_code in (422, 429) for a in answers)


def test_an_unknown_address_costs_as_much_as_a_known_one(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)

    def cost(email: str) -> float:
        clients = [house.client(record) for _ in range(4)]
        before = house.processor_seconds()
        for client in clients:
            client.post("/sign-in", data={"email": email, "password": WRONG})
        return house.processor_seconds() - before

    known, unknown = cost(owner.email), cost("nobody@example.org")
    assert unknown > known / 3


def test_one_time_codes_are_asked_after_the_password_and_work_once(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    page = owner.get("/account/codes")
    secret = page.text.split('name="secret" value="')[1].split('"')[0]
    codes = pyotp.TOTP(secret)
    refused = owner.post("/account/codes", {"secret": secret, "code": "000000"})
    assert refused.status_code == 422
    assert "This code is not the one shown now" in refused.text
    assert owner.post("/account/codes", {"secret": secret, "code": codes.now()}).status_code == 200
    kept = house.rows(record, "update credential set sign_count = sign_count - 5 where kind = 't' returning secret")
    assert secret not in kept[0][0]

    person = house.stranger(record)
    asked = sign_in(person, owner.email, PASSWORD)
    assert asked.url.path == "/sign-in/code"
    # Half-way in is not in.
    assert person.get("/account").url.path == "/sign-in"
    token = CSRF.search(person.get("/sign-in/code").text)[1]
    used = codes.now()
    waiting = person.http.cookies["parvis"]
    assert person.http.post("/sign-in/code", data={"code": used, "csrf": token}).url.path == "/"
    assert person.http.cookies["parvis"] != waiting

    again = house.stranger(record)
    sign_in(again, owner.email, PASSWORD)
    token = CSRF.search(again.get("/sign-in/code").text)[1]
    replayed = again.http.post("/sign-in/code", data={"code": used, "csrf": token})
    assert replayed.status_code == 422


def test_a_forgotten_password_is_replaced_by_a_mailed_link_that_works_once(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    answers = [house.stranger(record).http.post("/forgotten", data={"email": e}) for e in (owner.email, "no@x.org")]
    assert answers[0].text == answers[1].text
    [(kind, to, payload)] = house.mails(record)
    assert (kind, to) == ("password_reset", owner.email)
    link = urlsplit(payload["url"])
    token = link.query.removeprefix("token=")
    assert token not in str(house.rows(record, "select * from credential"))
    person = house.stranger(record)
    assert person.get(link.path, params={"token": token}).status_code == 200
    fresh = {"token": token, "password": "Violon-Brume-Escale-42", "repeated": "Violon-Brume-Escale-42"}
    clients = [house.client(record) for _ in range(5)]
    answers = together([lambda c=c: c.post("/reset", data=fresh) for c in clients])
    assert sorted(a.status_code for a in answers) == [200] + [410] * 4
    # All earlier sessions have ended, and the old password with them.
    assert owner.get("/account").url.path == "/sign-in"
    assert sign_in(house.stranger(record), owner.email, PASSWORD).status_code == 422


def test_a_link_older_than_an_hour_or_replaced_is_void(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    for _ in range(2):
        house.stranger(record).http.post("/forgotten", data={"email": owner.email})
    first, second = [payload["url"].split("token=")[1] for _, _, payload in house.mails(record)]
    assert house.stranger(record).get("/reset", params={"token": first}).status_code == 410
    house.rows(record, "update credential set created_at = now() - interval '61 minutes' where kind = 'r'")
    assert house.stranger(record).get("/reset", params={"token": second}).status_code == 410


def test_a_revoked_session_is_refused_by_the_very_next_request(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    other = house.stranger(record)
    sign_in(other, owner.email, PASSWORD)
    assert other.get("/account").url.path == "/account"
    [session] = house.rows(record, "select id from session order by created_at desc limit 1")
    assert owner.post(f"/account/sessions/{session[0]}/revocation").status_code == 200
    assert other.get("/account").url.path == "/sign-in"
    assert owner.get("/account").url.path == "/account"


def test_nobody_ends_sessions_of_others(house: House) -> None:
    record = house.workspace()
    house.owner(record)
    member, _ = house.add(record)
    [session] = house.rows(record, "select s.id from session s join principal p on p.id = principal_id where role = 3")
    member.post(f"/account/sessions/{session[0]}/revocation")
    assert house.rows(record, "select count(*) from session where id = %s", session[0])[0][0] == 1


def test_signing_out_ends_the_session_on_both_sides(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    cookie = owner.http.cookies["parvis"]
    assert owner.post("/sign-out").url.path == "/sign-in"
    assert "parvis" not in owner.http.cookies
    thief = house.stranger(record)
    thief.http.cookies.set("parvis", cookie)
    assert thief.get("/account").url.path == "/sign-in"


def test_idle_and_old_sessions_end_by_themselves(house: House) -> None:
    record = house.workspace()
    for change in ("seen_at = now() - interval '15 days'", "expires_at = now() - interval '1 second'"):
        owner, _ = (house.owner(record), None) if change.startswith("seen") else house.add(record, 2)
        assert owner.get("/account").url.path == "/account"
        house.rows(record, f"update session set {change}")
        assert owner.get("/account").url.path == "/sign-in"


def test_another_tenant_s_cookie_and_an_invented_one_open_nothing(house: House) -> None:
    record, other = house.workspace(), house.workspace()
    owner = house.owner(other)
    house.owner(record)
    for cookie in (owner.http.cookies["parvis"], "invented"):
        stranger = house.stranger(record)
        stranger.http.cookies.set("parvis", cookie)
        assert stranger.get("/account").url.path == "/sign-in"
        # An id that a client chose is never adopted by a sign-in.
        sign_in(stranger, f"{record.address}@example.org", PASSWORD)
        assert (
            cookie not in [c.value for c in stranger.http.cookies.jar if c.domain]
            or stranger.get("/account").url.path == "/sign-in"
        )


def test_the_last_way_to_sign_in_stays_and_changing_the_password_needs_the_present_one(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    new = "Violon-Brume-Escale-42"
    wrong = owner.post("/account/password", {"current": WRONG, "password": new, "repeated": new})
    assert wrong.status_code == 422
    assert 'id="current-e"' in wrong.text
    assert owner.post("/account/password", {"current": PASSWORD, "password": new, "repeated": new}).status_code == 200
    assert sign_in(house.stranger(record), owner.email, new).url.path == "/"


def test_account_fields_are_checked_one_by_one(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    answer = owner.post("/account", {"name": " ", "locale": "xx", "tz": "Mars/Olympus"})
    assert answer.status_code == 422
    for words in ("Tell us your name.", "Choose one of the languages", "Choose one of the time zones"):
        assert words in answer.text
    assert owner.post("/account", {"name": "Zoé  Ça", "locale": "fr", "tz": "Indian/Reunion"}).status_code == 200
    row = house.rows(record, "select name, locale, tz from principal where role = 3")[0]
    assert row == ("Zoé Ça", "fr", "Indian/Reunion")
