"""How long it takes to select connections, against a full sort.

Prints, for each number of scores, the median time of `masks.top_k_mask` and of
`tf.math.top_k` with k = n, the original code's way, measured in turns in one
run, and their ratio. `--large` goes on to 10^8 scores, without the sort, and
`--quick` stops at 10^6.
"""

import math
import statistics
import sys
import time

import tensorflow as tf

from rigl_tf import masks

ROUNDS = 5


def seconds(function, *args):
    """Wall time of one call."""
    start = time.perf_counter()
    function(*args)[0].numpy()
    return time.perf_counter() - start


def measure(size, sort):
    """Median seconds of the selection and of the sort, or NaN for it."""
    scores = tf.random.stateless_normal([size], seed=(0, 1))
    k = tf.constant(size // 10, tf.int64)
    select = tf.function(masks.top_k_mask, autograph=False)
    full_sort = tf.function(
        lambda values: tf.math.top_k(values, k=size)[0], autograph=False
    )
    times = {"select": [], "sort": []}
    for round_ in range(ROUNDS + 1):
        selected = seconds(select, scores, k)
        sorted_ = seconds(full_sort, scores) if sort else math.nan
        if round_:  # the first traces
            times["select"].append(selected)
            times["sort"].append(sorted_)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    """Prints the table."""
    sizes = [10**5, 10**6]
    if "--quick" not in sys.argv[1:]:
        sizes += [2 * 10**6]
    if "--large" in sys.argv[1:]:
        sizes += [10**7, 10**8]
    print("| scores | select, ms | ns a score | full sort, ms | ratio |")
    print("|---|---|---|---|---|")
    for size in sizes:
        times = measure(size, sort=size <= 2 * 10**6)
        sort, ratio = "", ""
        if not math.isnan(times["sort"]):
            sort = f"{1e3 * times['sort']:.1f}"
            ratio = f"{times['sort'] / times['select']:.1f}"
        print(
            f"| {size:,} | {1e3 * times['select']:.1f} "
            f"| {1e9 * times['select'] / size:.1f} "
            f"| {sort} | {ratio} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
