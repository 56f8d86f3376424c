"""How long connections of ResNet-20 take to be scored.

Finds a ticket of density 0.0144 with every finder that trains nothing, on
random images of 32 x 32 pixels in batches of 128; building and compiling
graphs is part of it. `--quick` takes 10 iterations of SynFlow.
"""

import sys
import time

import keras
import numpy as np

from rigl_tf import datasets
from rigl_tf import models
from rigl_tf import tickets

DENSITY = 0.0144


def images():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 32, 32, 3))
    y = rng.integers(0, 10, 512)
    return datasets.from_arrays(
        "random", train=(x, y), test=(x, y), num_classes=10, batch_size=128
    )


def main():
    """Prints the table."""
    keras.utils.set_random_seed(0)
    num = 10 if "--quick" in sys.argv[1:] else 100
    data = images()
    network = models.resnet((32, 32, 3), 10, affine=False, bias=False)
    finders = {
        "Random": tickets.Random(),
        "SmartRatio": tickets.SmartRatio(),
        "Magnitude": tickets.Magnitude(),
        "SNIP, 1 batch": tickets.SNIP(),
        "GraSP, 2 batches": tickets.GraSP(),
        "ProsPr, 3 steps, first order": tickets.ProsPr(order="first"),
        "ProsPr, 3 steps": tickets.ProsPr(),
        f"SynFlow, {num} iterations": tickets.SynFlow(num),
    }
    print("| finder | s |")
    print("|---|---|")
    for name, finder in finders.items():
        start = time.perf_counter()
        finder.find(network, data, DENSITY)
        print(f"| {name} | {time.perf_counter() - start:.1f} |", flush=True)


if __name__ == "__main__":
    main()
