import os
import subprocess
import sys
from pathlib import Path

from tests.fixtures import tiny_bundles

ROOT = Path(__file__).resolve().parents[2]
OPENING = """
import os, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError("not installed where bundles are served: " + name, name=name)

sys.meta_path.insert(0, Absent())
from serving.service import server
server.released.look()
assert not server.released.missing, server.released.missing
print("open")
"""


def test_the_server_opens_bundles_with_nothing_but_what_its_lock_installs(tmp_path):
    absent = {
        "pandas",
        "sklearn",
        "implicit",
        "duckdb",
        "ibis",
        "mlflow",
        "holidays",
        "sqlglot",
        "matplotlib",
        "training",
    }
    lock = (ROOT / "requirements" / "serving.lock").read_text("utf-8")
    assert not [name for name in absent if f"\n{name}==" in lock]
    tiny_bundles.release_both(tmp_path)
    command = [sys.executable, "-c", OPENING.format(absent=absent)]
    environment = os.environ | {"ONEBASKET_WORKSPACE": str(tmp_path)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ended.stdout == "open\n", ended.stderr
