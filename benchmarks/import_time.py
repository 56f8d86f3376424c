"""How much `import rigl_tf` adds to `import tensorflow, keras`.

Prints median times over fresh interpreters, in seconds of wall and of CPU
time. Each imports first those two and then rigl_tf: two interpreters differ by
more than rigl_tf takes.
"""

import statistics
import subprocess
import sys

ROUNDS = 7
PROGRAM = """
import time

def now():
    return time.perf_counter(), time.process_time()

start = now()
import tensorflow, keras
loaded = now()
import rigl_tf
end = now()
for a, b in ((start, loaded), (loaded, end)):
    print(b[0] - a[0], b[1] - a[1])
"""


def seconds():
    """Wall and CPU time, first of the two, then of rigl_tf."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return [float(number) for number in done.stdout.split()]


def main():
    """Prints the table."""
    rounds = 3 if "--quick" in sys.argv[1:] else ROUNDS
    seconds()  # fills the caches of the disk
    times = zip(*(seconds() for _ in range(rounds)), strict=True)
    wall, cpu, more_wall, more_cpu = map(statistics.median, times)
    print("| import | wall, s | CPU, s |")
    print("|---|---|---|")
    print(f"| tensorflow, keras | {wall:.2f} | {cpu:.2f} |")
    print(f"| then rigl_tf | {more_wall:.2f} | {more_cpu:.2f} |")


if __name__ == "__main__":
    main()
