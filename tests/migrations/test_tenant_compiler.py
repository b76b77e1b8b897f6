"""The tenant's schema is compiled once, whoever asks first and however many ask at once."""

import subprocess
import sys

ASK = """
import sys, threading
from migrations.tenant import compiler
sys.setswitchinterval(1e-6)
gate, found = threading.Barrier(8), []
def ask():
    gate.wait()
    try:
        found.append(compiler.{name}().sql)
    except Exception as error:
        found.append(repr(error))
threads = [threading.Thread(target=ask) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
alone = compiler._compiled.__wrapped__().sql
print(sum(sql != alone for sql in found))
"""


def differing(name: str) -> int:
    answer = subprocess.run([sys.executable, "-c", ASK.format(name=name)], capture_output=True, text=True, check=True)
    return int(answer.stdout)


def test_threads_that_ask_first_together_all_get_the_whole_schema() -> None:
    assert differing("compiled") == 0


def test_without_the_lock_they_write_into_each_other_s_text() -> None:
    """The control: the cache alone does not keep them apart."""
    assert differing("_compiled") > 0
