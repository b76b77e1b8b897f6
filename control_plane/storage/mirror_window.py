"""Two listings side by side: what lies between two keys in the store and in its mirror."""

from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.storage.mirror_errors import Refused, Trouble
from control_plane.storage.mirror_sides import Side
from kit.errors import Unavailable
from kit.s3 import Listed


@dataclass(frozen=True)
class Pair:
    """An organisation's bucket in the store, and its mirror."""

    store: Side
    mirror: Side

    @property
    def encrypted(self) -> bool:
        """Whether files are encrypted by a key of the organisation's own: entity tags may tell nothing then."""
        return self.mirror.data_key is not None

    def bear(self, trouble: Trouble) -> None:
        """Trouble with one object is borne, so that the others go on. Raises what would befall them too."""
        if isinstance(trouble, Refused) and trouble.of_all:
            raise trouble
        if isinstance(trouble, Unavailable) or (isinstance(trouble, Refused) and trouble.status >= 500):
            self.store.page("", 1)
            self.mirror.page("", 1)


@dataclass(frozen=True)
class Window:
    """What both sides list behind `after`, up to and with `last`; None when that is the end."""

    after: str
    last: str | None
    store: dict[str, Listed]
    mirror: dict[str, Listed]

    @classmethod
    def open(cls, pair: Pair, after: str) -> "Window":
        """The next page of both, as far as both are known."""
        here, there = pair.store.page(after), pair.mirror.page(after)
        last = min((page.last for page in (here, there) if page.last is not None), default=None)
        return cls(after, last, _until(here.found, last), _until(there.found, last))

    @classmethod
    def of(cls, pair: Pair, after: str, keys: Sequence[str], last: str | None) -> "Window":
        """These keys, each looked up by itself."""
        store, mirror = ({key: seen for key in keys if (seen := side.look(key))} for side in (pair.store, pair.mirror))
        return cls(after, last, store, mirror)

    @property
    def only_in_store(self) -> list[Listed]:
        """What the mirror lacks, by key."""
        return [self.store[key] for key in sorted(self.store.keys() - self.mirror.keys())]

    @property
    def only_in_mirror(self) -> list[Listed]:
        """What the store has no more, by key."""
        return [self.mirror[key] for key in sorted(self.mirror.keys() - self.store.keys())]

    @property
    def in_both(self) -> list[tuple[Listed, Listed]]:
        """What both have, as the store and as the mirror lists it, by key."""
        return [(self.store[key], self.mirror[key]) for key in sorted(self.store.keys() & self.mirror.keys())]


def _until(found: dict[str, Listed], last: str | None) -> dict[str, Listed]:
    return found if last is None else {key: one for key, one in found.items() if key <= last}
