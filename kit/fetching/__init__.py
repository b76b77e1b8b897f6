"""Fetching what an organisation's administrator names: bounded in time and size, and never from inside our networks."""

from kit.fetching.addresses import is_public
from kit.fetching.fetcher import Fetched, Fetcher
from kit.fetching.refusals import shown, without_query
from kit.fetching.running import run_now

__all__ = ["Fetched", "Fetcher", "is_public", "run_now", "shown", "without_query"]
