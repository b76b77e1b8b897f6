"""Files in and out: names, contents, versions, ranges, folders, the trash."""

from urllib.parse import unquote
from uuid import uuid4

import pytest

from tests.workspace.houses import House, Person, together

HOSTILE_NAMES = ["", "   ", ".", "..", "a/b", "../../etc/passwd", "a\\b", "nul\u0000byte", "line\nbreak", "bell\u0007",
                 "fdp\u202eexe.txt", "x" * 256, "para\u2028graph"]  # fmt: skip
FINE_NAMES = [
    "été à l'école.pdf",
    "日本語 の ファイル.txt",
    "עברית.doc",
    "emoji 👩‍👩‍👧.png",
    "<script>alert(1)<script>.html",
    'quote"and%25percent;semi.txt',
    "-rf --no-preserve-root",
    "CON.txt",
    "a" * 255,
    "ﬁ.txt",
]


@pytest.fixture
def owner(house: House) -> Person:
    return house.owner(house.workspace())


@pytest.mark.parametrize("name", FINE_NAMES)
def test_names_of_every_language_come_back_as_they_were_given(owner: Person, name: str) -> None:
    space = owner.space()
    body = name.encode() * 3
    file = owner.put(space, name, body)
    answer = owner.get(f"/drive/{file}/content")
    assert answer.content == body
    given = answer.headers["content-disposition"]
    assert given.startswith('attachment; filename="')
    assert "\n" not in given
    assert unquote(given.rpartition("UTF-8''")[2]) == name
    assert "<script>alert(1)" not in owner.get(f"/drive/{space}").text


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_refused_with_a_reason_and_leave_nothing(owner: Person, name: str) -> None:
    space = owner.space()
    file = owner.put(space, "good.txt")
    before = owner.house.objects(owner.record)
    assert owner.upload(space, name).status_code == 422
    assert owner.post(f"/drive/{space}/folders", {"name": name}).status_code == 422
    assert owner.post(f"/drive/{file}/name", {"name": name}).status_code == 422
    assert owner.house.objects(owner.record) == before
    assert owner.house.tally(owner.record) == (7, 0)


def test_equal_names_in_another_form_or_case_are_one_name(owner: Person) -> None:
    space = owner.space()
    first = owner.put(space, "E\u0301te\u0301.txt")
    second = owner.put(space, "ÉTÉ.txt", b"again")
    assert first == second
    assert owner.post(f"/drive/{space}/folders", {"name": "été.TXT"}).status_code == 409


def test_a_same_name_makes_a_version_and_each_can_be_read_and_brought_back(owner: Person) -> None:
    space = owner.space()
    bodies = [b"first", b"second!", b"third!!!"]
    ids = {owner.put(space, "plan.txt", body) for body in bodies}
    assert len(ids) == 1
    file = ids.pop()
    for n, body in enumerate(bodies, 1):
        assert owner.get(f"/drive/{file}/content", params={"version": n}).content == body
    assert owner.get(f"/drive/{file}/content", params={"version": 9}).status_code == 404
    owner.post(f"/drive/{file}/versions/1/restoration")
    assert owner.get(f"/drive/{file}/content").content == b"first"
    rows = owner.house.rows(owner.record, "select n, size from version order by n")
    assert rows == [(1, 5), (2, 7), (3, 8), (4, 5)]
    # Bytes that two versions share count once, and are given back once.
    assert owner.house.tally(owner.record) == (20, 0)
    owner.post(f"/drive/{space}/trash", {"of": file})
    owner.post(f"/drive/{file}/removal")
    assert owner.house.tally(owner.record) == (0, 0)


def test_ten_uploads_of_one_name_at_once_are_ten_versions(owner: Person) -> None:
    space = owner.space()
    token = owner.token()
    clients = [owner.client() for _ in range(10)]
    answers = together(
        [
            lambda c=c, n=n: c.put(
                f"/drive/{space}/files",
                params={"name": "same.txt"},
                content=b"x" * (n + 1),
                headers={"X-CSRF-Token": token},
            )
            for n, c in enumerate(clients)
        ]
    )
    assert [a.status_code for a in answers] == [201] * 10
    assert sorted(a.json()["version"] for a in answers) == list(range(1, 11))
    assert owner.house.tally(owner.record) == (sum(range(1, 11)), 0)


def test_an_empty_file_is_a_file(owner: Person) -> None:
    space = owner.space()
    file = owner.put(space, "empty.txt", b"")
    answer = owner.get(f"/drive/{file}/content")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("asked", "body", "span"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=5-100", b"56789", "bytes 5-9/10"),
    ],
)
def test_ranges(owner: Person, asked: str, body: bytes, span: str) -> None:
    file = owner.put(owner.space(), "digits.txt", b"0123456789")
    answer = owner.get(f"/drive/{file}/content", headers={"Range": asked})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (206, body, span)
    assert owner.get(f"/drive/{file}/content", headers={"Range": "bytes=10-"}).status_code == 416


def test_a_file_that_has_not_changed_is_not_sent_again(owner: Person) -> None:
    space = owner.space()
    file = owner.put(space, "a.txt", b"0123456789")
    etag = owner.get(f"/drive/{file}/content").headers["etag"]
    assert owner.get(f"/drive/{file}/content", headers={"If-None-Match": etag}).status_code == 304
    owner.put(space, "a.txt", b"abcdefghij")
    fresh = owner.get(f"/drive/{file}/content", headers={"If-None-Match": etag})
    assert (fresh.status_code, fresh.content) == (200, b"abcdefghij")
    head = owner.http.head(f"/drive/{file}/content")
    assert head.headers["content-length"] == "10"
    assert head.content == b""


@pytest.mark.parametrize("name", ["page.html", "image.svg", "doc.xml", "run.js", "page.xhtml", "noending", "a.pdf"])
def test_no_file_is_ever_shown_as_a_page_of_this_host(owner: Person, name: str) -> None:
    file = owner.put(owner.space(), name, b"<script>document.title='ran'</script>")
    answer = owner.get(f"/drive/{file}/content")
    assert answer.headers["content-disposition"].startswith("attachment;")
    # The bytes come from the store's own site, where no cookie of a workspace is known.
    assert answer.url.host == "parvis-files.localhost"
    assert "parvis=" not in answer.request.headers.get("cookie", "")
    for active in ("html", "svg", "xml", "javascript"):
        assert active not in answer.headers["content-type"]


def test_folders_nest_move_and_never_into_themselves(owner: Person) -> None:
    space = owner.space()
    a = owner.folder(space, "a")
    b = owner.folder(a, "b")
    c = owner.folder(b, "c")
    file = owner.put(c, "deep.txt")
    assert owner.post(f"/drive/{c}/moving", {"of": a}).status_code == 409
    assert owner.post(f"/drive/{a}/moving", {"of": a}).status_code == 409
    assert owner.post(f"/drive/{space}/moving", {"of": c}).status_code == 200
    page = owner.get(f"/drive/{file}").text
    assert ">c</a>" in page
    assert ">b</a>" not in page
    owner.folder(space, "d")
    assert owner.post(f"/drive/{space}/folders", {"name": "D"}).status_code == 409


def test_two_moves_that_cross_never_make_a_ring(owner: Person) -> None:
    space = owner.space()
    a, b = owner.folder(space, "a"), owner.folder(space, "b")
    token = owner.token()
    clients = [owner.client(), owner.client()]
    for _ in range(5):
        together(
            [
                lambda: clients[0].post(f"/drive/{b}/moving", data={"csrf": token, "of": a}),
                lambda: clients[1].post(f"/drive/{a}/moving", data={"csrf": token, "of": b}),
            ]
        )
        tops = owner.house.rows(owner.record, "select count(*) from node where parent_id is null")
        assert tops[0][0] >= 1
        owner.post(f"/drive/{space}/moving", {"of": a})
        owner.post(f"/drive/{space}/moving", {"of": b})


def test_a_dropped_folder_keeps_its_tree(owner: Person) -> None:
    space = owner.space()
    for _ in range(2):
        answer = owner.upload(space, "deep.txt", params={"path": "photos/2026/été"})
        assert answer.status_code == 201
    names = owner.house.rows(owner.record, "select name from node where kind = 'd' order by id")
    assert names == [("photos",), ("2026",), ("été",)]
    assert owner.upload(space, "deep.txt", params={"path": "../up"}).status_code == 422


def test_what_is_in_the_trash_is_out_of_reach_with_all_beneath_and_comes_back(owner: Person) -> None:
    space = owner.space()
    folder = owner.folder(space, "folder")
    inner = owner.folder(folder, "inner")
    file = owner.put(inner, "a.txt")
    owner.post(f"/drive/{space}/trash", {"of": folder})
    for path in (f"/drive/{folder}", f"/drive/{inner}", f"/drive/{file}", f"/drive/{file}/content"):
        assert owner.get(path).status_code == 404
    assert owner.upload(inner, "b.txt").status_code == 404
    assert "a.txt" not in owner.get("/").text
    assert "folder" in owner.get(f"/spaces/{space}/trash").text
    # The name is free meanwhile; who comes back gets a number.
    owner.folder(space, "folder")
    owner.post(f"/drive/{folder}/restoration")
    assert owner.get(f"/drive/{file}/content").content == b"content"
    assert "folder (2)" in owner.get(f"/drive/{space}").text


def test_what_comes_back_to_a_folder_that_is_gone_comes_to_the_top(owner: Person) -> None:
    space = owner.space()
    folder = owner.folder(space, "folder")
    file = owner.put(folder, "a.txt")
    owner.post(f"/drive/{folder}/trash", {"of": file})
    owner.post(f"/drive/{space}/trash", {"of": folder})
    answer = owner.post(f"/drive/{file}/restoration")
    assert answer.url.path == f"/drive/{space}"
    assert owner.get(f"/drive/{file}").status_code == 200


def test_removal_for_good_frees_the_storage_and_the_store(owner: Person) -> None:
    space = owner.space()
    folder = owner.folder(space, "folder")
    keep = owner.put(space, "keep.txt", b"k" * 50)
    for name in ("a", "b"):
        for body in (b"1" * 100, b"2" * 200):
            owner.put(folder, name, body)
    assert owner.house.tally(owner.record) == (650, 0)
    assert owner.post(f"/drive/{folder}/removal").status_code == 404  # only from the trash
    owner.post(f"/drive/{space}/trash", {"of": folder})
    assert owner.house.tally(owner.record) == (650, 0)
    owner.post(f"/drive/{folder}/removal")
    assert owner.house.tally(owner.record) == (50, 0)
    owner.house.sweep()
    assert list(owner.house.objects(owner.record).values()) == [50]
    assert owner.get(f"/drive/{keep}/content").content == b"k" * 50


def test_a_big_folder_comes_in_pages_that_stay_true_while_others_write(owner: Person) -> None:
    space = owner.space()
    record = owner.record
    owner.house.rows(
        record,
        "insert into node (id, space_id, acl_id, kind, name, etag) select gen_random_uuid(), %s, %s,"
        " case when n %% 10 = 0 then 'd' else 'f' end, 'item ' || lpad(n::text, 6, '0'), gen_random_uuid()"
        " from generate_series(1, 20000) n",
        space,
        space,
    )
    page = owner.get(f"/drive/{space}")
    seen: list[str] = []
    for turn in range(4):
        seen += [
            part.split("<")[0] for part in page.text.split('class="clip" href="/drive/')[1:] if ">item" in part[:60]
        ]
        following = page.text.split('rel="next"')[0].rpartition('href="')[2].split('"')[0].replace("&amp;", "&")
        if turn == 1:
            owner.put(space, "item 000001 added.txt")
        page = owner.get(following)
    names = [one.partition(">")[2] for one in seen]
    assert len(names) == len(set(names)) == 400
    assert names == sorted(names)
    for sort in ("-updated", "-size", "nonsense"):
        assert owner.get(f"/drive/{space}", params={"sort": sort}).status_code == 200
    assert owner.get(f"/drive/{space}", params={"cursor": "forged"}).status_code == 400


def test_ids_of_another_tenant_answer_like_ids_that_never_were(house: House) -> None:
    mine, theirs = house.owner(house.workspace()), house.owner(house.workspace())
    space, own = theirs.space(), mine.space()
    file = theirs.put(space, "secret.txt", b"canary")
    home = mine.put(own, "mine.txt")
    for pattern in (
        "/drive/{}",
        "/drive/{}/content",
        "/drive/{}/name",
        "/spaces/{}",
        "/spaces/{}/trash",
        "/drive/{}/moving?of=" + home,
    ):
        for foreign in (space, file):
            answers = [mine.get(pattern.format(one)) for one in (foreign, uuid4())]
            assert answers[0].status_code == answers[1].status_code == 404
            assert "canary" not in answers[0].text
    for pattern in ("/drive/{}/name", "/drive/{}/restoration", "/drive/{}/removal", "/drive/{}/folders", "/spaces/{}"):
        assert mine.post(pattern.format(file), {"name": "x"}).status_code == 404
    assert mine.upload(space, "x.txt").status_code == 404
    assert mine.post(f"/drive/{own}/moving", {"of": file}).status_code == 404
    assert mine.post(f"/drive/{own}/trash", {"of": file}).status_code == 404
    assert theirs.get(f"/drive/{file}/content").content == b"canary"
