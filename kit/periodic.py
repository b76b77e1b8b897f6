"""Jobs that come round again: each in a thread of its own, so that a slow one delays no other; and their health."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kit import logs

log = logs.get(__name__)

Work = Callable[[], float | None]
"""Does a round; may return after how many seconds it wants to come round at the latest."""


@dataclass
class Job:
    """Something done every so many seconds. A round that fails is logged, and the next one comes all the same."""

    name: str
    every: float
    work: Work
    late_after: float = 60.0
    done_at: float = field(default_factory=time.monotonic)

    def round(self) -> float:
        """One round; the seconds until the next."""
        try:
            asked = self.work()
        except Exception:
            log.exception("a job failed", job=self.name)
            return self.every
        self.done_at = time.monotonic()
        return self.every if asked is None else max(0.05, min(asked, self.every))

    @property
    def late(self) -> bool:
        """No round has ended well for too long."""
        return time.monotonic() - self.done_at > self.every + self.late_after


def run(jobs: Sequence[Job], stop: threading.Event, grace: float = 30.0) -> None:
    """Let all jobs come round until `stop` is set; then wait for the rounds under way, at most `grace` seconds."""
    threads = [threading.Thread(target=_come_round, args=(job, stop), name=job.name, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    stop.wait()
    deadline = time.monotonic() + grace
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _come_round(job: Job, stop: threading.Event) -> None:
    while not stop.is_set():
        stop.wait(job.round())


def serve_health(port: int, late: Callable[[], list[str]], host: str = "127.0.0.1") -> ThreadingHTTPServer:
    """Answer GET /healthz and /readyz: 200, or 503 with the names of the jobs that are late."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path in {"/healthz", "/readyz"}
            names = late() if known else []
            body = json.dumps({"status": "late" if names else "ok", "late": names} if known else {}).encode()
            self.send_response(503 if names else 200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Health checks are not news."""

    server = ThreadingHTTPServer((host, port), Health)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
