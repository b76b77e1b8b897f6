"""How much more than was sold a store admits, so that it is the last word and never the first.

The app's own accounting is exact. The store's is not: Ceph counts each object in steps of 4 KiB and what was deleted
until it is collected, and any store counts what was uploaded and not yet kept. So its limit lies a twentieth and 4 MiB
higher. All in whole KiB, which is what Ceph takes.
"""

KIB = 1024
ROOM = 4096


def hard_kib(sold_bytes: int) -> int:
    """The limit that the store is given, in KiB, for what was sold in bytes."""
    sold = -(-sold_bytes // KIB)
    return sold + sold // 20 + ROOM


def sold_bytes(hard: int) -> int:
    """What was sold, in bytes up to a whole KiB, where the limit is so many KiB: the inverse of `hard_kib`."""
    without = max(hard - ROOM, 0)
    # Of n + n // 20 each 21st number is no value: a limit set by hand is read as the one below it.
    return (without // 21 * 20 + min(without % 21, 19)) * KIB
