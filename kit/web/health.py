"""Is this process alive, and can it serve?"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from anyio import to_thread
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from kit import logs

# A check returns (or awaits) anything and raises when its part is away. A plain function runs in a thread.
Check = Callable[[], Any]

log = logs.get("kit.web")


async def _passes(name: str, check: Check) -> bool:
    try:
        if inspect.iscoroutinefunction(check):
            await check()
        else:
            result = await to_thread.run_sync(check)
            if inspect.isawaitable(result):
                await result
    except Exception as error:  # noqa: BLE001 - whatever fails, it is not ready
        log.warning("not ready", check=name, error=str(error))
        return False
    return True


def health_routes(checks: Mapping[str, Check]) -> list[HTTPRouteHandler]:
    """`/healthz` answers while the process lives; `/readyz` is 200 once every check passes, else 503 with names."""

    @get("/healthz", media_type=MediaType.JSON, include_in_schema=False, opt={"public": True})
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @get("/readyz", media_type=MediaType.JSON, include_in_schema=False, opt={"public": True})
    async def readyz() -> Response[dict[str, Any]]:
        results = {name: "ok" if await _passes(name, check) else "failed" for name, check in checks.items()}
        ready = all(result == "ok" for result in results.values())
        return Response(
            {"status": "ready" if ready else "not ready", "checks": results}, status_code=200 if ready else 503
        )

    return [healthz, readyz]
