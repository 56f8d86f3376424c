"""Injects faults and prints a table: how many of them were survived.

    make faults
    python -m tests.faults [--smoke] [--jobs=2] [SUITE ...]

A fault is survived if nothing is lost: training ends with the weights that it
would have ended with, or what cannot be used is refused in so many words.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import time
from concurrent import futures

from rigl_tf.utils import text_tables
from tests.faults import harness

# By name: a module, and what it is told by the environment. The longest first.
SUITES = {
    "kills": ("kills", {"METHODS": "rigl"}),
    "more_kills": (
        "kills",
        {"METHODS": "set snfs gradual_pruning static gem_miner imp"},
    ),
    "soak": ("soak", {}),
    "numerics": ("numerics", {}),
    "two_devices": ("devices", {"DEVICES": "2"}),
    "four_devices": ("devices", {"DEVICES": "4"}),
    "workers": ("workers", {}),
    "corners": ("corners", {}),
    "runs": ("runs", {}),
    "corruption": ("corruption", {}),
    "security": ("security", {}),
    "elsewhere": ("elsewhere", {}),
    "concurrency": ("concurrency", {}),
    "disk": ("disk", {}),
}


def inject(name, few):
    """Yields what became of each fault of a suite, as it happens."""
    module, env = SUITES[name]
    command = [sys.executable, "-m", f"tests.faults.{module}"]
    with subprocess.Popen(
        [*command, harness.FEW] if few else command,
        cwd=harness.ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if process.returncode != 0:
        error = f"The suite ended with {process.returncode}."
        yield {"kind": name, "case": "all of it", "error": error}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(harness.FEW, action="store_true", help="a few of each")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    args = parser.parse_args()
    counts = collections.defaultdict(lambda: [0, 0])
    start = time.monotonic()

    def injected(name):
        return list(inject(name, args.smoke)), time.monotonic() - start

    names = args.suites or list(SUITES)
    with futures.ThreadPoolExecutor(args.jobs) as pool:
        waiting = {pool.submit(injected, name): name for name in names}
        for future in futures.as_completed(waiting):
            found, seconds = future.result()
            print(
                f"[{seconds:4.0f} s] {waiting[future]}: {len(found)} faults",
                flush=True,
            )
            for case in found:
                lost = case["error"] is not None
                counts[case["kind"]][lost] += 1
                if lost:
                    print(f"LOST {case['case']}\n{case['error']}", flush=True)
    rows = [("fault", "times injected", "survived", "lost")]
    rows += [
        (kind, str(survived + lost), str(survived), str(lost))
        for kind, (survived, lost) in counts.items()
    ]
    print(f"\n{text_tables.markdown(rows)}")
    print(f"\n{time.monotonic() - start:.0f} s")
    sys.exit(any(lost for _, lost in counts.values()))


if __name__ == "__main__":
    main()
