"""`make bench`: every `bench_*.py` of this folder, one after the other. `make bench ARGS=provisioning` runs one."""

import importlib
import sys
from pathlib import Path


def main() -> None:
    wanted = sys.argv[1:]
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        name = path.stem.removeprefix("bench_")
        if not wanted or name in wanted:
            importlib.import_module(f"tests.bench.{path.stem}").main()


if __name__ == "__main__":
    main()
