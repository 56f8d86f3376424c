"""How much faster a condensed layer is than the Dense layer it was made of.

A square layer with a constant fan-in, inference; both models in turns, in one
process, medians. `--quick` measures width 4096 only.
"""

import argparse

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf.analysis import equivalence
from rigl_tf.deploy import condensing
from rigl_tf.sparsity import structures

WIDTHS = (1024, 4096)
BATCHES = (1, 8, 64)
SPARSITIES = (0.8, 0.9, 0.95, 0.98, 0.99)


def sparse(width, sparsity):
    """A model of one layer."""
    return rigl_tf.sparsify(
        keras.Sequential([keras.Input((width,)), keras.layers.Dense(width)]),
        rigl_tf.algorithms.Static(),
        sparsity=sparsity,
        distribution="uniform_all",
        structure=structures.ConstantFanIn(),
    )


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(flags.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    columns = " | ".join(f"{sparsity:.0%}" for sparsity in SPARSITIES)
    print(
        f"{flags.threads} thread(s)\n\n"
        f"| width | batch | times faster at {columns} |\n"
        f"|{'---|' * (2 + len(SPARSITIES))}",
        flush=True,
    )
    for width in WIDTHS[-1:] if flags.quick else WIDTHS:
        pairs = []
        for sparsity in SPARSITIES:
            plain = rigl_tf.densify(sparse(width, sparsity))
            pairs.append((plain, condensing.condense(plain)))
        for batch in BATCHES:
            x = np.random.default_rng(0).normal(size=(batch, width))
            cells = []
            for pair in pairs:
                times = equivalence.latency(
                    [equivalence.runner(model) for model in pair],
                    [x.astype("float32")],
                )
                cells.append(f"{times[0] / times[1]:.1f}")
            print(f"| {width} | {batch} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
