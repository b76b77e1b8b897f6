"""Whatever requests do to a connection, the next tenant on it sees nothing of them."""

import asyncio
import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tenant_app.contract import TenantRecord
from tenant_app.tenancy import TenantPool
from tests.isolation.naive import NaivePool
from tests.isolation.traffic import OPERATIONS, Leak, Traffic, canary, plant
from tests.world.cells import Cell, prepared_cell, run, soften

POOL = 5
TENANTS = 8


def populated(cell: Cell, count: int) -> list:
    tenants = []
    for number in range(count):
        record, mark = cell.tenant(f"tenant-{number}"), canary(number + 1)
        assert plant(cell, record, mark) > 30
        tenants.append((record, mark))
    return tenants


@pytest.fixture(scope="module")
def tenants(cell: Cell) -> list:
    return populated(cell, TENANTS)


async def mixed(traffic: Traffic, requests: int, workers: int) -> None:
    async def worker() -> None:
        while traffic.served < requests:
            await traffic.request(traffic.random.randrange(len(traffic.tenants)), traffic.random.choice(OPERATIONS))

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(worker())


def test_two_thousand_mixed_requests_over_five_connections_leak_nothing(cell: Cell, tenants: list) -> None:
    async def flow() -> Traffic:
        pool = TenantPool(cell.app_url, size=POOL, tenants_a_connection=4)
        traffic = Traffic(pool, tenants, random.Random(1))
        await mixed(traffic, 2000, POOL * 2)
        await pool.close()
        return traffic

    traffic = run(flow())
    assert traffic.served >= 2000
    # Reading, writing and setting succeeded; the others can only fail.
    assert {"read", "write", "session"} <= traffic.seen.keys()


def test_the_same_requests_over_a_naive_pool_leak(postgres: str) -> None:
    """The control: without the pool's rules, the very same traffic shows foreign canaries."""
    with prepared_cell(postgres) as cell:
        tenants = populated(cell, 3)
        soften(cell)

        async def flow() -> None:
            pool = NaivePool(cell.app_url, size=2)
            try:
                traffic = Traffic(pool, tenants, random.Random(1))
                for _ in range(500):
                    await traffic.request(
                        traffic.random.randrange(3), traffic.random.choice(("session", "temporary", "read"))
                    )
            finally:
                await pool.close()

        with pytest.raises(Leak):
            run(flow())


class WithoutReset(TenantPool):
    """The pool, less one rule: what a session set stays."""

    def _begin(self, record: TenantRecord, read_only: bool) -> str:
        return super()._begin(record, read_only).replace("RESET ALL; ", "")


class WithoutRollback(TenantPool):
    """The pool, less one rule: what failed is put back as it is."""

    async def _rolled_back(self, conn, error: BaseException) -> bool:  # noqa: ARG002
        return True

    def _put_back(self, pooled) -> None:
        self._idle[pooled] = None


class WithoutRole(TenantPool):
    """The pool, less one rule: nobody's role and nobody's schema."""

    def _begin(self, record: TenantRecord, read_only: bool) -> str:  # noqa: ARG002
        return "BEGIN"


@pytest.mark.parametrize("mutant", [WithoutReset, WithoutRollback, WithoutRole])
def test_each_rule_of_the_pool_is_needed(postgres: str, mutant: type[TenantPool]) -> None:
    """One rule is taken away at a time, and the traffic tells. In a cell of its own: what leaks stays there."""

    async def flow(cell: Cell, tenants: list) -> Traffic:
        pool = mutant(cell.app_url, size=2)
        traffic = Traffic(pool, tenants, random.Random(2))
        try:
            for _ in range(400):
                operation = traffic.random.choice(("session", "read", "write", "abort"))
                await traffic.request(traffic.random.randrange(3), operation)
        finally:
            await pool.close()
        return traffic

    with prepared_cell(postgres) as cell:
        tenants = populated(cell, 3)
        if mutant is WithoutRole:
            # Here the database is the second wall: without a role no request reads anything at all.
            assert run(flow(cell, tenants)).seen == {}
        else:
            with pytest.raises(Leak):
                run(flow(cell, tenants))


class AnyTraffic(RuleBasedStateMachine):
    """Hypothesis looks for the order of requests that would let something through."""

    cell: Cell
    tenants: list

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.pool = self.runner.run(self.made())
        self.traffic = Traffic(self.pool, self.tenants, random.Random(0))

    async def made(self) -> TenantPool:
        return TenantPool(self.cell.app_url, size=POOL, tenants_a_connection=3)

    @rule(which=st.integers(0, TENANTS - 1), operation=st.sampled_from(OPERATIONS))
    def one(self, which: int, operation: str) -> None:
        self.runner.run(self.traffic.request(which, operation))

    @rule(
        burst=st.lists(st.tuples(st.integers(0, TENANTS - 1), st.sampled_from(OPERATIONS)), min_size=2, max_size=8),
    )
    def at_once(self, burst: list[tuple[int, str]]) -> None:
        async def together() -> None:
            await asyncio.gather(*(self.traffic.request(which, operation) for which, operation in burst))

        self.runner.run(together())

    @invariant()
    def what_waits_is_clean(self) -> None:
        pool = getattr(self, "pool", None)
        if pool is not None:
            assert len(pool._idle) == pool._opened <= POOL
            assert not any(pooled.conn.is_in_transaction() for pooled in pool._idle)

    @rule()
    def everybody_still_sees_his_own(self) -> None:
        async def all_of_them() -> None:
            for which in range(TENANTS):
                await self.traffic.request(which, "read")

        self.runner.run(all_of_them())

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            self.runner.run(self.pool.close())
            self.runner.close()


@pytest.mark.timeout(300)
def test_no_order_of_requests_lets_anything_through(cell: Cell, tenants: list) -> None:
    AnyTraffic.cell, AnyTraffic.tenants = cell, tenants
    AnyTraffic.TestCase.settings = settings(
        max_examples=15,
        stateful_step_count=12,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    case = AnyTraffic.TestCase()
    case.runTest()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_thousand_tenants_and_a_hundred_thousand_requests_leak_nothing(postgres: str) -> None:
    with prepared_cell(postgres) as cell:
        tenants = populated(cell, 1000)

        async def flow() -> Traffic:
            pool = TenantPool(cell.app_url, size=POOL)
            traffic = Traffic(pool, tenants, random.Random(7))
            await mixed(traffic, 100_000, POOL * 4)
            await pool.close()
            return traffic

        assert run(flow()).served >= 100_000
