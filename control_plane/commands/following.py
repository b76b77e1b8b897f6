"""Following what takes a while: a bar for people, lines for logs, nothing beside JSON; all on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from control_plane.commands.context import Context
from control_plane.commands.errors import CommandError, ExitCode

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class Sight:
    """How far it is, in words and, where that is known, in a count. `over`: there is nothing more to wait for."""

    words: str
    over: bool
    done: int | None = None
    total: int | None = None

    @property
    def most(self) -> int | None:
        """How many there are at least: what is counted may have grown since its total was."""
        return max(self.total, self.done or 0) if self.total else None

    @property
    def count(self) -> str:
        """How far it is, in figures; empty where the end is not known."""
        return f"{self.done} of {self.most}" if self.most else ""


def follow(
    context: Context, look: Callable[[], Any], sight: Callable[[Any], Sight], *, seconds: float, again: str
) -> Any:
    """What was seen once it is over. `again` tells how to look again, should that take longer than `seconds`."""
    seen = _seen(look, sight, seconds, again)
    shown = seen if context.json else _bar(seen) if sys.stderr.isatty() else _lines(seen)
    return [value for value, _ in shown][-1]


def _seen(
    look: Callable[[], Any], sight: Callable[[Any], Sight], seconds: float, again: str
) -> Iterator[tuple[Any, Sight]]:
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while True:
        value = look()
        now = sight(value)
        yield value, now
        if now.over:
            return
        if time.monotonic() > deadline:
            raise CommandError(
                f"Still going on after {seconds:g} s: {now.words}.",
                cure=f"It goes on by itself. Look again with `{again}`.",
                code=ExitCode.TIMED_OUT,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _bar(seen: Iterator[tuple[Any, Sight]]) -> Iterator[tuple[Any, Sight]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as progress:
        bar = progress.add_task("", total=None, count="")
        for value, now in seen:
            progress.update(bar, description=now.words, completed=now.done or 0, total=now.most, count=now.count)
            yield value, now


def _lines(seen: Iterator[tuple[Any, Sight]]) -> Iterator[tuple[Any, Sight]]:
    told = ""
    for value, now in seen:
        line = now.words + (f" ({now.count})" if now.count else "")
        if line != told:
            told = line
            click.echo(line, err=True)
        yield value, now
