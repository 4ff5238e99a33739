import json
import subprocess
import sys

SETTLED = """
import gc, json
from edge.collector import settle
kept = [[] for _ in range(1000)]
settle()
print(json.dumps([gc.get_freeze_count(), gc.get_threshold()]))
"""


def test_what_is_there_is_not_walked_again_and_what_comes_rarely() -> None:
    said = subprocess.run(
        [sys.executable, "-P", "-c", SETTLED], capture_output=True, text=True, check=True
    )
    frozen, [new_objects, *_] = json.loads(said.stdout)
    assert frozen > 1000
    assert new_objects == 50_000
