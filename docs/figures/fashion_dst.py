"""Draws accuracy against density on Fashion-MNIST, for six methods.

    python docs/figures/fashion_dst.py runs/fashion fashion_dst.png
    python docs/figures/fashion_dst.py runs/lenet5 fashion_lenet5.png

needs the runs of `rigl-sweep --sweep=fashion_dst --output_dir=runs/fashion`,
and of `rigl-sweep --sweep=fashion_lenet5 --output_dir=runs/lenet5`.
"""

import pathlib
import sys

from rigl_tf import results
from rigl_tf.results import plots

METHODS = ("dense", "static", "set", "rigl", "granet", "gradual_pruning")


def main(runs, name):
    records = results.read_all(runs).values()
    path = pathlib.Path(__file__).with_name(name)
    plots.accuracy_by_density([r for r in records if r.method in METHODS], path)
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
