"""A control plane's database with one cell, whose store is mirrored to a second cluster; and what lies in both.

What looks at the stores here is obstore and calls by hand: what is tested is not what tests it.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import obstore
import requests
from obstore.exceptions import GenericError
from obstore.store import S3Store
from sqlalchemy import Engine, text

from control_plane import placement, storage
from control_plane.audit import SYSTEM
from control_plane.catalogue import Requirements
from control_plane.placement.models import CellDatabase
from control_plane.storage import (
    AccessKey,
    BucketWish,
    Mirroring,
    MirrorPace,
    MirrorRunView,
    MirrorView,
    ObjectStore,
    account_name,
    bucket_name,
)
from kit.db import transaction, vault_of
from kit.ids import new_id
from kit.s3 import Signer
from tests.storage.between import Fate, standing_between

CELL = "fr-par-1"
BACKUP_SECRET = "the-secret-of-the-backup-user-which-nobody-may-see"
QUICK = MirrorPace(first_retry=timedelta(milliseconds=200), last_retry=timedelta(seconds=1))


def bytes_of(endpoint: str, key: AccessKey, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=endpoint,
        region="default",
        access_key_id=key.key_id,
        secret_access_key=key.secret,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": "60s"},
    )


@dataclass
class Org:
    """An organisation with an account in the store, seen by its own key; and its mirror, seen by the mirror's."""

    id: UUID
    key: AccessKey
    store: S3Store
    mirror: S3Store

    @property
    def name(self) -> str:
        return bucket_name(self.id)

    def put(self, *bodies: bytes, into: S3Store | None = None, **options: Any) -> list[str]:
        """New objects of these contents; their keys."""
        keys = [str(new_id()) for _ in bodies]
        target = into or self.store
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: obstore.put(target, one[0], one[1], **options), zip(keys, bodies, strict=True)))
        return keys

    def small(self, count: int, size: int = 300) -> list[str]:
        return self.put(*(os.urandom(size) for _ in range(count)))

    def delete(self, keys: Iterable[str], of: S3Store | None = None) -> None:
        for key in keys:
            obstore.delete(of or self.store, key)

    @property
    def lacking(self) -> set[str]:
        """What the store has and the mirror has not."""
        return keys_in(self.store) - keys_in(self.mirror)

    def same(self) -> bool:
        """Every object is in both, byte by byte."""
        keys = keys_in(self.store)
        return keys == keys_in(self.mirror) and all(self.alike(key) for key in keys)

    def alike(self, key: str) -> bool:
        here, there = (obstore.get(side, key).bytes() for side in (self.store, self.mirror))
        return bytes(here) == bytes(there)


def keys_in(side: S3Store) -> set[str]:
    try:
        return {one["path"] for one in obstore.list(side, chunk_size=1000).collect()}
    except GenericError as error:
        if "NoSuchBucket" in str(error):
            return set()
        raise


@dataclass
class Town:
    """One cell, its store as administered, and the addresses of both sides as they are really reached."""

    engine: Engine
    store: ObjectStore
    endpoint: str
    backup_endpoint: str
    backup_key: AccessKey
    organisations: list[Org] = field(default_factory=list)

    def organisation(self, *, tenant: bool = False, quota: int | None = None) -> Org:
        """With a place in the cell, an account, keys and a bucket, as provisioning leaves it."""
        organisation_id = new_id()
        name = account_name(organisation_id)
        with transaction(self.engine) as session:
            placement.place(session, organisation_id, Requirements())
            ring = storage.keyring(session, vault_of(session), organisation_id, tenant=tenant)
        self.store.ensure_account(name, ring.all, 1)
        self.store.ensure_bucket(name, name, ring.current, BucketWish(quota), 1)
        self.store.ensure_mode(name, "open", 1)
        with transaction(self.engine) as session:
            storage.note_stored(session, organisation_id, ring)
        org = Org(
            organisation_id,
            ring.current,
            bytes_of(self.endpoint, ring.current, name),
            bytes_of(self.backup_endpoint, self.backup_key, name),
        )
        self.organisations.append(org)
        return org

    def worker(self, pace: MirrorPace = QUICK, **options: Any) -> Mirroring:
        with transaction(self.engine) as session:
            vault = vault_of(session)
        return Mirroring(self.engine, vault, pace=pace, **options)

    def once(self, org: Org, worker: Mirroring | None = None) -> MirrorView:
        """One slice, at once."""
        self.ask(org)
        used = worker or self.worker()
        try:
            assert used.turn(org.id)
        finally:
            if worker is None:
                used.close()
        return self.seen(org)

    def settle(self, org: Org, seconds: float = 120, worker: Mirroring | None = None) -> MirrorView:
        """A pass from its beginning to its end."""
        self.ask(org)
        used, deadline = worker or self.worker(), time.monotonic() + seconds
        try:
            while used.turn(org.id) or self.seen(org).state != "whole":
                assert time.monotonic() < deadline, self.seen(org)
        finally:
            if worker is None:
                used.close()
        return self.seen(org)

    def ask(self, org: Org) -> None:
        with transaction(self.engine) as session:
            storage.mirror_now(session, org.id, SYSTEM)

    def seen(self, org: Org) -> MirrorView:
        with transaction(self.engine) as session:
            return storage.mirror_status(session, org.id)

    def verify(self, org: Org, *, deep: bool = False) -> MirrorRunView:
        with transaction(self.engine) as session:
            run = storage.verify_mirror(session, org.id, SYSTEM, deep=deep)
        return self.end_of(run)

    def restore(self, org: Org, **asked: Any) -> MirrorRunView:
        with transaction(self.engine) as session:
            run = storage.restore_mirror(session, org.id, SYSTEM, **asked)
        return self.end_of(run)

    def end_of(self, run: MirrorRunView, seconds: float = 120) -> MirrorRunView:
        worker, deadline = self.worker(), time.monotonic() + seconds
        try:
            while True:
                worker.turn(run.organisation_id)
                with transaction(self.engine) as session:
                    now = storage.mirror_run(session, run.id)
                if now.state in {"done", "failed"}:
                    return now
                assert time.monotonic() < deadline, now
        finally:
            worker.close()

    def aim(self, setting: str, address: str) -> None:
        """The cell's store, or its mirror, is found there from now on."""
        value = f"jsonb_set(store, '{{{setting}}}', to_jsonb(cast(:address as text)))"
        self.sql(f"update cell set store = {value}", address=address)

    @contextmanager
    def slowed(self, setting: str, seconds: float = 0.005) -> Iterator[None]:
        """Each write on this side takes so long, one after the other: no machine does them all in one slice."""

        def slowly(_number: int, method: str, _path: str) -> Fate:
            if method == "PUT":
                time.sleep(seconds)
            return "pass"

        with standing_between(self.endpoint if setting == "endpoint" else self.backup_endpoint) as between:
            between.fate = slowly
            self.aim(setting, between.endpoint)
            yield

    def at_mirror(self, method: str, org: Org, params: Mapping[str, str] | None = None, key: str = "") -> bytes:
        """A call by hand on the organisation's bucket in the mirror, by the mirror's own key."""
        signer = Signer(self.backup_endpoint, self.backup_key.key_id, self.backup_key.secret)
        url, headers = signer.call(method, f"/{org.name}/{key}" if key else f"/{org.name}", params or {})
        answer = requests.request(method, url, headers=headers, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.content

    def at_mirror_uploads(self, org: Org) -> bool:
        """Whether an upload is under way into the organisation's mirror."""
        try:
            return b"<UploadId>" in self.at_mirror("GET", org, {"uploads": ""})
        except AssertionError:
            return False

    def sql(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)


def backup_user(endpoint: str, admin: AccessKey, name: str = "backup") -> AccessKey:
    """The one user of the backup cluster who owns a bucket for each organisation; made by hand."""
    key = AccessKey(f"BACKUP{name.upper()}", BACKUP_SECRET)
    given = {"access-key": key.key_id, "secret-key": key.secret, "generate-key": "false", "max-buckets": "0"}
    answer = admin_call(endpoint, admin, "PUT", "user", {"uid": name, "display-name": name, **given})
    assert answer.status_code in {200, 409}, answer.text
    return key


def admin_call(
    endpoint: str, admin: AccessKey, method: str, resource: str, params: Mapping[str, str]
) -> requests.Response:
    url, headers = Signer(endpoint, admin.key_id, admin.secret).call(method, f"/admin/{resource}", params)
    return requests.request(method, url, headers=headers, timeout=60)


def open_town(
    engine: Engine,
    store: ObjectStore,
    settings: dict[str, Any],
    backup_endpoint: str,
    backup_key: AccessKey,
    **mirror: Any,
) -> Town:
    """A cell whose store has these settings (secrets in plain), mirrored there."""
    aim = {"endpoint": backup_endpoint, "key_id": backup_key.key_id, "secret": backup_key.secret}
    settings = {**settings, "mirror": aim | mirror}
    with transaction(engine) as session:
        cell = placement.add_cell(session, CELL, "fr-par", [], settings, SYSTEM)
        sealed = {"admin_url_sealed": "", "app_url_sealed": ""}
        session.add(CellDatabase(id=new_id(), cell_id=cell.id, name="cell_1", **sealed))
    return Town(engine, store, settings["endpoint"], mirror.get("endpoint", backup_endpoint), backup_key)
