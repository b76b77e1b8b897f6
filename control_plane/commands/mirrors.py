"""`parvis storage mirror`: how far the backup mirrors are, copying now, verifying, restoring."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import click
from rich.console import Console

from control_plane.commands.changing import agreed
from control_plane.commands.client import Client, quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import CommandError, ExitCode
from control_plane.commands.following import Sight, follow
from control_plane.commands.storage_words import cells_mirrors_table, mirror_card, mirrors_table, run_card
from control_plane.commands.tables import size

# Where a mirror stays like this, no pass is under way that one could wait for.
STOPPED = ("waiting", "suspended", "needs_keys", "failing", "off")
FURTHEST = 10


@click.command()
@click.argument("reference", metavar="[ORGANISATION]", required=False)
@click.option("--cell", help="Without an organisation: only this cell's.")
@click.option("--now", is_flag=True, help="Copy what is new now, before its turn comes.")
@click.option("--verify", is_flag=True, help="Compare the mirror with the store; it fails where they differ.")
@click.option("--deep", is_flag=True, help="With --verify: read and compare every byte.")
@click.option("--restore", is_flag=True, help="Put back what the store lacks and the mirror has.")
@click.option("--as-of", help="With --restore: only what there was then, such as 2027-03-01T00:00:00Z.")
@click.option("--object", "keys", multiple=True, help="With --restore: only this object; several times.")
@click.option("--yes", is_flag=True, help="Do not ask before restoring.")
@click.option("--wait/--no-wait", default=True, show_default=True)
@click.option("--timeout", default=3600.0, show_default=True, help="Seconds to wait.")
@shared
def mirror(context: Context, reference: str | None, cell: str | None, wait: bool, timeout: float, **asked: Any) -> None:
    """Show backup mirrors, or set one to work.

    Without an organisation it shows every cell's mirror, and the organisations that are furthest behind.
    """
    verb = _verb(reference, cell, asked)
    client = context.client()
    if reference is None:
        _all(context, client, cell)
        return
    task = _Task(context, client, reference, wait, timeout)
    if verb is None:
        task.show()
    elif verb == "now":
        task.copy()
    elif verb == "verify":
        task.run("mirror-verification", {"deep": asked["deep"]})
    else:
        if not asked["yes"]:
            agreed(f"What the store of {reference} lacks will be put back from its mirror; nothing is overwritten.")
        task.run("restoration", {"keys": list(asked["keys"]) or None, "as_of": asked["as_of"]})


def _verb(reference: str | None, cell: str | None, asked: dict[str, Any]) -> str | None:
    """What is asked for; options that do not go together are wrong use."""
    verbs = [name for name in ("now", "verify", "restore") if asked[name]]
    wrong = {
        "--now, --verify, --restore: name the ORGANISATION.": verbs and reference is None,
        "--now, --verify, --restore: one at a time.": len(verbs) > 1,
        "--cell: name a cell or an organisation, not both.": cell and reference,
        "--deep goes with --verify.": asked["deep"] and not asked["verify"],
        "--as-of and --object go with --restore.": (asked["as_of"] or asked["keys"]) and not asked["restore"],
    }
    for words, found in wrong.items():
        if found:
            raise CommandError(words, code=ExitCode.USAGE)
    return verbs[0] if verbs else None


def _all(context: Context, client: Client, cell: str | None) -> None:
    stores = client.get("/storage", cell=cell)["items"]
    furthest = client.get("/storage/mirrors", cell=cell, limit=FURTHEST)["items"]
    found = {"cells": [{"cell": one["cell"], "mirror": one["mirror"]} for one in stores], "furthest_behind": furthest}

    def shown(console: Console) -> None:
        cells_mirrors_table(console, stores)
        if any(one["mirror"] for one in stores):
            console.print("\nFurthest behind:")
            mirrors_table(console, furthest)

    context.show(found, shown)


class _Task:
    """Something about one organisation's mirror."""

    def __init__(self, context: Context, client: Client, reference: str, wait: bool, timeout: float) -> None:
        self.context, self.client, self.reference = context, client, reference
        self.wait, self.timeout = wait, timeout
        self.path = f"/organisations/{quoted(reference)}/storage"
        self.again = f"parvis storage mirror {reference}"

    def show(self) -> None:
        """As it stands."""
        found = self._mirror()
        self.context.show(found, lambda console: self._shown(console, found))

    def _mirror(self) -> Any:
        found = self.client.get(self.path)["mirror"]
        if found is None:
            words = f"The store of {self.reference} has no backup mirror."
            raise CommandError(words, cure="Give its cell one by `parvis cell mirror`.", code=ExitCode.CONFLICT)
        return found

    def _shown(self, console: Console, found: dict[str, Any]) -> None:
        mirror_card(console, found)
        if found["run"]:
            console.print()
            run_card(console, found["run"])

    def copy(self) -> None:
        """A pass now; done once one that began after this saw and had everything."""
        asked = self._ask("mirroring", None)
        since = _moment(asked["due_at"])

        def sight(found: dict[str, Any]) -> Sight:
            whole = found["whole_at"] is not None and _moment(found["whole_at"]) >= since
            looked = found["due_at"] is not None and _moment(found["due_at"]) > since
            words = f"copying: {found['copied']:,} objects, {size(found['copied_bytes'])}"
            if found["state"] != "copying":
                words = "waiting for its turn"
            return Sight(words, over=whole or (looked and found["state"] in STOPPED))

        found = self._follow(asked, self._mirror, sight)
        self.context.show(found, lambda console: mirror_card(console, found))
        if found["state"] in {"failing", "needs_keys"}:
            raise SystemExit(int(ExitCode.FAILED))

    def run(self, noun: str, body: dict[str, Any]) -> None:
        """A verification or a restoration; it fails where something is wrong."""
        asked = self._ask(noun, body)
        found = self._follow(asked, lambda: self.client.get(f"{self.path}/mirror-runs/{asked['id']}"), _run_sight)
        self.context.show(found, lambda console: run_card(console, found))
        if found["state"] == "failed" or found["mismatches"]:
            raise SystemExit(int(ExitCode.FAILED))

    def _ask(self, noun: str, body: dict[str, Any] | None) -> Any:
        headers = {"Idempotency-Key": str(uuid4())}
        return self.client.ask("POST", f"{self.path}/{noun}", body=body, headers=headers).body

    def _follow(self, asked: Any, look: Any, sight: Any) -> Any:
        if not self.wait:
            return asked
        return follow(self.context, look, sight, seconds=self.timeout, again=self.again)


def _run_sight(run: dict[str, Any]) -> Sight:
    words = {"verify": "verifying the mirror", "restore": "restoring from the mirror"}[run["kind"]]
    if run["error_code"] and run["state"] not in {"done", "failed"}:
        words += f", waiting ({run['error_code']})"
    return Sight(words, over=run["state"] in {"done", "failed"}, done=run["checked"], total=run["expected"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
