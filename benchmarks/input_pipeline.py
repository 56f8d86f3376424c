"""How many images a second the CIFAR pipeline delivers, and a network takes.

Random images of the size of CIFAR-10, cropped and mirrored, in batches of
128, beside training WRN-22-2 on them; rounds alternate. `--quick` takes fewer.
"""

import statistics
import sys
import time

import keras

from rigl_tf import datasets
from rigl_tf import models
from rigl_tf.datasets import prepared

NUM = 12_800


def delivered(batches, num):
    """Pictures a second of an iterator."""
    start = time.perf_counter()
    total = sum(len(next(batches)[1]) for _ in range(num))
    return total / (time.perf_counter() - start)


def main():
    """Prints the table."""
    rounds = 2 if "--quick" in sys.argv[1:] else 7
    with prepared.mock_data(NUM):
        data = datasets.cifar10()
    model = models.wide_resnet(data.input_shape, data.num_classes)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, 0.9), loss)
    batches = iter(data.train(0))
    model.train_on_batch(*next(batches))  # makes the graph
    batch = next(batches)
    pipeline, training = [], []
    for _ in range(rounds):
        pipeline.append(delivered(batches, 50))
        start = time.perf_counter()
        for _ in range(2):
            model.train_on_batch(*batch)
        training.append(2 * len(batch[1]) / (time.perf_counter() - start))
    ours, theirs = map(statistics.median, (pipeline, training))
    print("| | images a second |")
    print("|---|---|")
    print(f"| pipeline | {ours:,.0f} |")
    print(f"| WRN-22-2, trained on one batch | {theirs:,.0f} |")
    print(f"| ratio | {ours / theirs:.0f} |")


if __name__ == "__main__":
    main()
