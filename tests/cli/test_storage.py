"""`parvis storage`, and the stores and mirrors of `parvis cell`, against the whole product and a real Ceph."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from control_plane.commands.errors import ExitCode
from kit.filestore import FileStore
from tests.cli.running import ordered, parvis, told
from tests.world.administrators import administrator
from tests.world.product import Product

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

SECRET = "s" * 40


def test_an_organisation_s_storage_is_shown_compared_and_its_keys_rotated(product: Product) -> None:
    ordered(product, "cli-stored")
    compared = parvis(product.folder, "storage", "verify", "cli-stored")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert "comparing" in compared.stderr, "progress goes to stderr"
    assert "nothing missing" in compared.stdout
    used = told(product.folder, "storage", "usage", "cli-stored")
    assert (used["agreement"], used["findings"], used["comparison"]["pending"]) == ("agree", [], False)
    told(product.folder, "storage", "rotate", "cli-stored")
    told(product.folder, "storage", "rotate", "cli-stored", "--data")
    keys = told(product.folder, "storage", "status", "cli-stored")["keys"]
    assert {one["version"]: one["state"] for one in keys["store"]}[2] == "current"
    assert [one["state"] for one in keys["data"]] == ["current", "destroyed"]
    shown = parvis(product.folder, "storage", "status", "cli-stored")
    assert (shown.returncode, "retiring" in shown.stdout) == (0, True)


def test_the_cells_stores_are_shown_with_their_checks(product: Product) -> None:
    every, one = (parvis(product.folder, "storage", "status", *of) for of in ((), ("--cell", "local")))
    assert (every.returncode, one.returncode) == (0, 0)
    assert "local" in every.stdout
    assert "the disk has room" in one.stdout
    absent = parvis(product.folder, "storage", "status", "--cell", "cli-absent")
    assert absent.returncode == ExitCode.NOT_FOUND


def test_a_verification_fails_where_the_store_s_limit_is_not_what_was_sold(product: Product) -> None:
    ordered(product, "cli-limit")
    organisation = told(product.folder, "storage", "usage", "cli-limit")["organisation_id"].replace("-", "")
    name = f"org-{organisation}"
    store = FileStore(product.var / "store")
    account = store.account(name)
    assert account is not None
    store.ensure_bucket(name, name, 10_000_000, fence=account.fence)
    wrong = parvis(product.folder, "storage", "verify", "cli-limit")
    assert wrong.returncode == ExitCode.FAILED
    assert "parvis organisation verify" in wrong.stdout, "the cure is told"
    told(product.folder, "organisation", "verify", "cli-limit")
    assert parvis(product.folder, "storage", "verify", "cli-limit").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("storage", "status", "cli-absent"), ExitCode.NOT_FOUND, "does not exist"),
        (("storage", "status", "cli-absent", "--cell", "local"), ExitCode.USAGE, "--cell"),
        (("storage", "usage"), ExitCode.USAGE, "ORGANISATION"),
        (("storage", "verify", "cli-absent"), ExitCode.NOT_FOUND, "does not exist"),
        (("storage", "mirror", "--now"), ExitCode.USAGE, "ORGANISATION"),
        (("storage", "mirror", "x", "--now", "--verify"), ExitCode.USAGE, "one at a time"),
        (("storage", "mirror", "x", "--deep"), ExitCode.USAGE, "--verify"),
        (("storage", "mirror", "x", "--as-of", "2027-03-01T00:00:00Z"), ExitCode.USAGE, "--restore"),
        (("storage", "mirror", "x", "--restore"), ExitCode.USAGE, "--yes"),
        (("cell", "mirror", "local"), ExitCode.USAGE, "--endpoint"),
        (
            ("cell", "mirror", "local", "--endpoint", "http://127.0.0.1:9", "--key-id", "A"),
            ExitCode.USAGE,
            "PARVIS_STORE_MIRROR_SECRET",
        ),
        (("cell", "store", "local"), ExitCode.USAGE, "--rotate-key"),
        (("cell", "store", "local", "--rotate-key", "--endpoint", "http://127.0.0.1:9"), ExitCode.USAGE, "alone"),
        (("cell", "store", "local", "--admin-key-id", "A"), ExitCode.USAGE, "PARVIS_STORE_ADMIN_SECRET"),
        (("cell", "store", "local", "--rotate-key"), ExitCode.CONFLICT, "Only a Ceph"),
        (("cell", "add", "new", "--region", "x", "--store", "ceph+http://127.0.0.1:9"), ExitCode.USAGE, "--admin"),
        (
            ("cell", "add", "new", "--region", "x", "--store", "files:/tmp", "--tenant-keys"),
            ExitCode.USAGE,
            "--tenant-keys",
        ),
    ],
)
def test_a_wrong_command_names_what_is_wrong_and_tells_by_its_exit_code(
    product: Product, arguments: tuple[str, ...], code: ExitCode, words: str
) -> None:
    done = parvis(product.folder, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_secret_of_a_store_is_never_an_option() -> None:
    from control_plane.commands.cell import cell

    options = [option for command in cell.commands.values() for one in command.params for option in one.opts]
    assert not [one for one in options if "secret" in one and one != "--keep-secret"]


def added(product: Product, ceph: "RunningCeph", secret: str, *options: str, **env: str) -> Any:
    """Try to add a cell with this Ceph."""
    store = ("--store", f"ceph+{ceph.endpoint}", "--admin-key-id", ceph.admin_key_id)
    arguments = ("cell", "add", "cli-ceph", "--region", "fr-par", *store, *options)
    return parvis(product.folder, *arguments, PARVIS_STORE_ADMIN_SECRET=secret, **env)


def test_a_ceph_is_taken_on_by_its_administrator_s_key(product: Product, ceph: "RunningCeph") -> None:
    english, french = added(product, ceph, SECRET), added(product, ceph, SECRET, LANG="fr_FR.UTF-8")
    for refused in (english, french):
        assert refused.returncode == ExitCode.REFUSED
        assert "--admin-key-id:" in refused.stderr
        assert SECRET not in refused.stdout + refused.stderr
    assert "La clé d’administration est refusée" in french.stderr
    wrong = added(product, ceph, ceph.admin_secret, "--public-endpoint", "https://files.example/bucket")
    assert (wrong.returncode, "--public-endpoint" in wrong.stderr) == (ExitCode.REFUSED, True)
    assert parvis(product.folder, "cell", "show", "cli-ceph").returncode == ExitCode.NOT_FOUND
    made = added(product, ceph, ceph.admin_secret, "--json")
    assert made.returncode == 0, made.stdout + made.stderr
    assert json.loads(made.stdout)["store"]["endpoint"] == ceph.endpoint
    assert ceph.admin_secret not in made.stdout
    assert {one["cell"]: one["well"] for one in told(product.folder, "storage", "status")["items"]}["cli-ceph"]


def test_a_ceph_that_serves_gets_another_address_and_other_keys(product: Product, ceph: "RunningCeph") -> None:
    first, second = administrator(ceph), administrator(ceph)
    store = ("--store", f"ceph+{ceph.endpoint}", "--admin-key-id", first.key_id)
    made = ("cell", "add", "cli-moved", "--region", "fr-par", *store)
    done = parvis(product.folder, *made, PARVIS_STORE_ADMIN_SECRET=first.secret)
    assert done.returncode == 0, done.stdout + done.stderr
    change = ("cell", "store", "cli-moved")
    moved = told(product.folder, *change, "--endpoint", ceph.endpoints[1], "--public-endpoint", "https://files.example")
    assert (moved["store"]["endpoint"], moved["store"]["admin_key_id"]) == (ceph.endpoints[1], first.key_id)
    emptied = told(product.folder, *change, "--public-endpoint", "")
    assert emptied["store"]["public_endpoint"] is None
    refused = parvis(
        product.folder, *change, "--admin-key-id", second.key_id, PARVIS_STORE_ADMIN_SECRET=SECRET, LANG="fr_FR.UTF-8"
    )
    assert (refused.returncode, "--admin-key-id:" in refused.stderr) == (ExitCode.REFUSED, True)
    away = parvis(product.folder, *change, "--endpoint", "http://127.0.0.1:9")
    assert (away.returncode, "--endpoint:" in away.stderr) == (ExitCode.REFUSED, True)
    keyed = parvis(
        product.folder, *change, "--admin-key-id", second.key_id, "--json", PARVIS_STORE_ADMIN_SECRET=second.secret
    )
    assert json.loads(keyed.stdout)["store"]["admin_key_id"] == second.key_id
    rotated = parvis(product.folder, *change, "--rotate-key")
    assert rotated.returncode == 0, rotated.stdout + rotated.stderr
    assert f"{second.key_id} goes soon" in rotated.stdout
    for one in (done, refused, keyed, rotated):
        assert not any(secret in one.stdout + one.stderr for secret in (first.secret, second.secret, SECRET))
    assert {one["cell"]: one["well"] for one in told(product.folder, "storage", "status")["items"]}["cli-moved"]


@pytest.fixture
def mirrored(product: Product, ceph: "RunningCeph") -> Iterator[Product]:
    """The product, its cell's store being mirrored to a Ceph."""
    arguments = ("cell", "mirror", "local", "--endpoint", ceph.endpoint, "--key-id", ceph.admin_key_id)
    done = parvis(product.folder, *arguments, PARVIS_STORE_MIRROR_SECRET=ceph.admin_secret)
    assert done.returncode == 0, done.stdout + done.stderr
    yield product
    ended = told(product.folder, "cell", "mirror", "local", "--off")
    assert ended["store"]["mirror"] is None


def test_a_mirror_is_made_verified_and_restored_from(mirrored: Product) -> None:
    ordered(mirrored, "cli-mirror")
    copied = parvis(mirrored.folder, "storage", "mirror", "cli-mirror", "--now", "--timeout", "80")
    assert copied.returncode == 0, copied.stdout + copied.stderr
    assert "whole" in copied.stdout
    verified = parvis(mirrored.folder, "storage", "mirror", "cli-mirror", "--verify", "--timeout", "80")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "verifying the mirror" in verified.stderr
    restored = told(mirrored.folder, "storage", "mirror", "cli-mirror", "--restore", "--yes", "--timeout", "80")
    assert (restored["kind"], restored["state"], restored["mismatches"]) == ("restore", "done", 0)
    shown = told(mirrored.folder, "storage", "mirror", "cli-mirror")
    assert (shown["state"], shown["well"]) == ("whole", True)
    every = told(mirrored.folder, "storage", "mirror")
    assert any(cell["mirror"] for cell in every["cells"])
    assert "whole" in {one["state"] for one in every["furthest_behind"]}


def test_without_a_mirror_that_is_said_with_its_cure(product: Product) -> None:
    ordered(product, "cli-unmirrored")
    shown = parvis(product.folder, "storage", "mirror", "cli-unmirrored")
    assert (shown.returncode, "parvis cell mirror" in shown.stderr) == (ExitCode.CONFLICT, True)
    asked = parvis(product.folder, "storage", "mirror", "cli-unmirrored", "--now", LANG="fr_FR.UTF-8")
    assert (asked.returncode, "miroir" in asked.stderr) == (ExitCode.CONFLICT, True)
