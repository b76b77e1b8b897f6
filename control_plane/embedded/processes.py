"""Child processes that die with their parent, under the right user, and are known again after a crash."""

import ctypes
import os
import pwd
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

UNPRIVILEGED = "nobody"
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_GET_SECUREBITS = 27
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 4
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
MANY_FILES = 32768
START_TIME_FIELD = 19  # of /proc/<pid>/stat, counted after the command's closing parenthesis

# Loaded before any fork: a child between fork and exec may not import.
_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_Capabilities = _Data * 2


def _prctl(option: int, *values: int) -> None:
    arguments = [*values, 0, 0, 0, 0][:4]
    if _libc.prctl(option, *(ctypes.c_ulong(value) for value in arguments)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def die_with_parent(sent: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent's thread ends."""
    _prctl(PR_SET_PDEATHSIG, sent)


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent dies, so that none escapes."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def allow_many_files() -> None:
    """Let this process and those it starts hold many connections; the usual 1,024 is for what is older than them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@dataclass(frozen=True)
class Account:
    """The unprivileged user that a server which refuses root runs as; `sees_all` lets it pass closed parent folders."""

    uid: int
    gid: int
    home: str
    sees_all: bool = False

    def become(self) -> None:
        """In the child, after the fork: change the user for good."""
        if self.sees_all:
            _prctl(PR_SET_KEEPCAPS, 1)
            _let_access_count_capabilities()
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if self.sees_all:
            _keep_reading_everywhere()


def _let_access_count_capabilities() -> None:
    """access(2), by which PostgreSQL looks for its own programs, ignores the capabilities of a user, but for this bit.

    All other capabilities are given up by name in what follows, so leaving them to setuid(2) is not missed.
    """
    bits = _libc.prctl(PR_GET_SECUREBITS, 0, 0, 0, 0)
    # Where this is not allowed, the server says in its log what it cannot reach.
    with suppress(OSError):
        _prctl(PR_SET_SECUREBITS, max(bits, 0) | SECBIT_NO_SETUID_FIXUP)


def _keep_reading_everywhere() -> None:
    """Keep one capability over the change of user and the exec: to pass folders closed to others, such as /root."""
    header, data = _Header(CAPABILITY_VERSION_3, 0), _Capabilities()
    if _libc.capget(ctypes.byref(header), data) != 0:
        raise OSError(ctypes.get_errno(), "capget failed")
    # A container may have taken the narrow one away and left the wide one.
    wanted = next((cap for cap in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if data[0].permitted & 1 << cap), None)
    data[0].effective = data[0].permitted = data[0].inheritable = 0 if wanted is None else 1 << wanted
    data[1].effective = data[1].permitted = data[1].inheritable = 0
    if _libc.capset(ctypes.byref(header), data) != 0:
        raise OSError(ctypes.get_errno(), "capset failed")
    if wanted is not None:
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, wanted)


def account_for(*paths: Path) -> Account | None:
    """Whom to become for a server that refuses root and needs `paths`; None when we are not root anyway."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid, "/", sees_all=not all(_open_to_others(path) for path in paths))


def _open_to_others(path: Path) -> bool:
    resolved = path.resolve()
    if resolved.exists() and not resolved.stat().st_mode & 0o004:
        return False
    return all(folder.stat().st_mode & 0o001 for folder in resolved.parents if folder.exists())


def start(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, writing to `log`; it gets `death_signal` when we die, however we die."""
    parent = os.getpid()

    def prepare() -> None:
        os.umask(0o077)
        if account is not None:
            account.become()
        # After the change of user, which clears it.
        die_with_parent(death_signal)
        if os.getppid() != parent:
            os._exit(1)
        os.chdir(cwd)

    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - only system calls follow the fork
        )


def started_at(pid: int) -> str | None:
    """When a process started, in ticks; None if there is none. Together with the pid it names a process for good."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields[START_TIME_FIELD]


def end(pids: Sequence[int], *, within: float, first: signal.Signals = signal.SIGTERM) -> None:
    """End processes, our children or not: `first`, then SIGKILL for who is still there after `within` seconds."""
    known = {pid: started_at(pid) for pid in pids}
    alive = _signal(known, first)
    deadline = time.monotonic() + within
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = [pid for pid in alive if started_at(pid) == known[pid]]
    _signal({pid: known[pid] for pid in alive}, signal.SIGKILL)
    while any(started_at(pid) == known[pid] for pid in alive):
        time.sleep(0.02)


def _signal(known: Mapping[int, str | None], sent: signal.Signals) -> list[int]:
    reached = []
    for pid, start_time in known.items():
        if start_time is not None and started_at(pid) == start_time:
            try:
                os.kill(pid, sent)
            except ProcessLookupError:
                continue
            reached.append(pid)
    return reached


def end_group(leader: int) -> None:
    """End what a dead child left behind in its session."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def marked(name: str, value: str) -> list[int]:
    """Processes (but us) that were started with `name=value` in their environment."""
    mark = f"{name}={value}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in environment:
            found.append(int(entry.name))
    return found


def wait_for(ready: Callable[[], bool], seconds: float, alive: Callable[[], bool] = lambda: True) -> bool:
    """Poll until `ready`; false when time is up or `alive` no longer holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        if not alive():
            return False
        time.sleep(0.02)
    return False
