"""Convolutions of a ResNet-18 with SparseProp and with this library.

Forward and backward through one convolution (with respect to its inputs, too),
how many times faster than Keras's Conv2D with the same threads, and
milliseconds of the processor with one thread. All are measured in turns,
medians over rounds. SparseProp and
PyTorch are in an environment of their own, which needs a C++ compiler:

    python -m venv peer
    peer/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    peer/bin/pip install numpy pybind11 setuptools wheel
    peer/bin/pip install --no-build-isolation sparseprop
    python benchmarks/sparseprop_layers.py --peer=peer/bin/python

Without `--peer`, their columns are empty. SparseProp has two loops for a
convolution; the faster one counts.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time

from convolutions import BATCH
from convolutions import layer_step
from sparse_training import table
from sparse_training import threaded

# Input channels, output channels, taps of an axis, stride, and size.
LAYERS = (
    (64, 128, 3, 2, 56),
    (128, 256, 3, 2, 28),
    (256, 512, 3, 2, 14),
    (64, 128, 1, 2, 56),
    (128, 256, 1, 2, 28),
    (256, 512, 1, 2, 14),
    (256, 256, 3, 1, 14),
)
PEERS = ("PyTorch", "SparseProp")


def serve(inputs, outputs, taps, stride, size, sparsity):
    """Runs a step for each line of the input; prints seconds.

    A line is the name of a peer.
    """
    import torch
    from sparseprop.modules import SparseConv2d

    torch.manual_seed(0)
    dense = torch.nn.Conv2d(
        inputs, outputs, taps, stride, padding=taps // 2, bias=False
    )
    x = torch.randn(BATCH, inputs, size, size, requires_grad=True)
    dy = torch.randn_like(dense(x))
    with torch.no_grad():
        dense.weight *= torch.rand_like(dense.weight) >= sparsity

    def step(layer):
        return seconds(
            lambda: torch.autograd.grad(layer(x), [x, *layer.parameters()], dy)
        )

    sparse = [SparseConv2d.from_dense(dense, is_on) for is_on in (False, True)]
    for layer in (dense, *sparse):
        step(layer)
    fastest = min(sparse, key=lambda layer: min(step(layer), step(layer)))
    peers = dict(zip(PEERS, (dense, fastest), strict=True))
    print("ready", flush=True)
    for line in sys.stdin:
        print(step(peers[line.strip()]), flush=True)


@contextlib.contextmanager
def peer_steps(python, arguments):
    """Yields functions that take a step of each peer, none without Python."""
    if python is None:
        yield []
        return
    command = [python, __file__, "--serve", json.dumps(arguments)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if process.stdout.readline().strip() != "ready":
        raise SystemExit(f"{python} cannot run SparseProp.")

    def step(name):
        print(name, file=process.stdin, flush=True)
        return float(process.stdout.readline())

    try:
        yield [lambda name=name: step(name) for name in PEERS]
    finally:
        process.stdin.close()
        process.wait()


def seconds(step):
    """Seconds of the processor that a step takes."""
    start = time.process_time()
    step()
    return time.process_time() - start


def rows(python, sparsity, rounds):
    """Rows of the table."""
    threaded(1)
    for inputs, outputs, taps, stride, size in LAYERS:
        steps = [
            layer_step(inputs, size, stride, of_step, None, outputs, taps)
            for of_step in (0, sparsity)
        ]
        arguments = inputs, outputs, taps, stride, size, sparsity
        steps = [lambda step=step: seconds(step) for step in steps]
        with peer_steps(python, arguments) as of_peers:
            times = [
                [step() for step in (*steps, *of_peers)] for _ in range(rounds)
            ]
        dense, *others = map(statistics.median, zip(*times, strict=True))
        yield (
            f"{inputs} to {outputs}, {taps}x{taps}, stride {stride}",
            f"{1000 * dense:.1f}",
            *(f"{1000 * other:.1f}, {dense / other:.2f}" for other in others),
        )


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--peer", help="Python with SparseProp")
    parser.add_argument("--sparsity", type=float, default=0.95)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", help="what the peer's process does")
    flags = parser.parse_args()
    if flags.serve:
        serve(*json.loads(flags.serve))
        return
    head = ["layer", "Keras, ms", "rigl_tf", *(PEERS if flags.peer else ())]
    table(head, rows(flags.peer, flags.sparsity, flags.rounds))


if __name__ == "__main__":
    main()
