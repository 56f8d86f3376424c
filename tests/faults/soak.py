"""One long run, killed again and again."""

import random
import signal

from tests.faults import harness

SEED = 0


def soak(steps, kills, directory):
    rng = random.Random(SEED)
    run, whole = directory / "run", directory / "whole"
    args = ("rigl", f"--epochs={steps // 4}", "--every=7")
    left = kills
    while left:
        # About so many steps from wherever the last checkpoint is.
        step = rng.randint(1, 2 * steps // (kills + 1))
        kill = f"--kill=step:{step}:before"
        resume = ("--resume",) if run.exists() else ()
        child = harness.start(run, *args, kill, *resume)
        if child.wait(timeout=600) == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.returncode
        left -= 1
    harness.train(run, *args, "--resume")
    harness.train(whole, *args, "--grow-after=1000")
    harness.check_same(run, whole)


def faults(few):
    if not few:
        yield (
            "killed again and again",
            "3000 steps, 15 kills",
            (lambda directory: soak(3000, 15, directory)),
        )


if __name__ == "__main__":
    harness.main(faults)
