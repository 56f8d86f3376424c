"""What the first product of a process costs, with and without code on disk.

A row for each kind of units: CPU seconds of a forward and a backward product
with a batch of 128 and, after that, with a batch of 96. First in a process
that finds no code of numba on disk, then in one that finds the code of the
first. Width 512, 90 % sparse; without the time to import anything.
"""

import os
import subprocess
import sys
import tempfile
import time


def seconds(block):
    """Prints the CPU seconds of the products of each batch."""
    import tensorflow as tf

    from rigl_tf.kernels.ops import dispatch

    sides = (block, block) if block > 1 else ()
    product = dispatch.product(512, 512, sides or None)
    count = (512 // block) ** 2 // 10
    active, values = 10 * tf.range(count), tf.ones((count, *sides))
    for batch in (128, 96):
        x = tf.ones((batch, 512))
        start = time.process_time()
        y = product.forward(x, values, active)
        product.backward(x, values, active, y)
        print(f"{time.process_time() - start:.2f}")


def main():
    """Prints the table."""
    print("| stored | code on disk | batch 128 | batch 96 |")
    print("|---|---|---|---|")
    for block, stored in ((1, "connections"), (32, "blocks of 32 x 32")):
        with tempfile.TemporaryDirectory() as folder:
            for on_disk in ("no", "yes"):
                output = subprocess.run(
                    [sys.executable, __file__, str(block)],
                    env={**os.environ, "NUMBA_CACHE_DIR": folder},
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                ).stdout
                cells = " | ".join(f"{cell} s" for cell in output.split())
                print(f"| {stored} | {on_disk} | {cells} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        seconds(int(sys.argv[1]))
    else:
        main()
