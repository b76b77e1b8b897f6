"""Erasing reaches the backup: what the mirror kept of an organisation goes with it, and its rows too."""

from typing import Any

import requests
from sqlalchemy import text

from control_plane import placement
from control_plane.audit import SYSTEM
from kit.db import transaction
from kit.s3 import Signer
from tests.world.ceph import RunningCeph
from tests.world.house import CELL, House
from tests.world.stores import SECRET, Ceph

KEY_ID = "PROVISIONINGMIRROR"


def backed_up(house: House, ceph: RunningCeph) -> Signer:
    """The cell has a mirror at this cluster; signs as its user."""
    admin = Ceph(ceph.endpoint, ceph.admin_key_id, ceph.admin_secret)
    user = {"uid": "provisioning-mirror", "display-name": "mirror", "generate-key": "false", "max-buckets": "0"}
    admin.admin("PUT", "/user", **user)
    admin.admin("PUT", "/user", **{"key": "", "uid": user["uid"], "access-key": KEY_ID, "secret-key": SECRET,
                "generate-key": "false"})  # fmt: skip
    sealed = house.vault.seal(SECRET, f"store-mirror:{CELL}")
    mirror = {"endpoint": ceph.endpoint, "key_id": KEY_ID, "secret_sealed": sealed, "region": ceph.region}
    with transaction(house.engine) as session:
        before = placement.cell(session, CELL).store
        placement.set_store(session, CELL, {**before, "mirror": mirror}, SYSTEM)
    return Signer(ceph.endpoint, KEY_ID, SECRET)


def ask(signer: Signer, method: str, path: str, body: bytes = b"") -> Any:
    url, headers = signer.call(method, path)
    return requests.request(method, url, headers=headers, data=body, timeout=60)


def test_what_the_mirror_kept_goes_when_the_organisation_is_erased(house: House, ceph: RunningCeph) -> None:
    signer = backed_up(house, ceph)
    gone, kept = house.live(), house.live()
    for one in (gone, kept):
        assert ask(signer, "PUT", f"/org-{one.hex}").status_code == 200
        assert ask(signer, "PUT", f"/org-{one.hex}/0197f000-0000-7000-8000-000000000001", b"content").status_code == 200
        with transaction(house.engine) as session:
            session.execute(
                text("insert into mirror (organisation_id) values (:one) on conflict do nothing"), {"one": one}
            )
    for _ in range(2):
        house.close_and_erase_now(gone)
        house.settle(gone)
    assert house.state(gone) == "erased"
    assert ask(signer, "HEAD", f"/org-{gone.hex}").status_code == 404
    assert ask(signer, "GET", f"/org-{kept.hex}/0197f000-0000-7000-8000-000000000001").content == b"content"
    assert house.sql("select organisation_id from mirror where organisation_id = any(:ids)", ids=[gone, kept]) == [
        (kept,)
    ]
