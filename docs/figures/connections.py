"""Draws where the connections of the first layer are, over the pixels.

    python docs/figures/connections.py runs/claims

needs the runs of claims 1, 3 and 50: `rigl-claims --claim=1,3,50 ...`.
"""

import pathlib
import sys

import keras
import matplotlib.pyplot as plt
import numpy as np

import rigl_tf  # noqa: F401, for the classes of saved models

METHODS = ("static", "set", "rigl", "ggr")


def main(runs):
    figure, axes = plt.subplots(1, len(METHODS), figsize=(9, 2.6))
    image = None
    for axis, method in zip(axes, METHODS, strict=True):
        run = pathlib.Path(runs, "fashion_mlp", method, "sparsity=0.98")
        model = keras.saving.load_model(run / "seed=0" / "model.keras")
        counts = np.array(model.kernels[0].mask).sum(axis=1)
        image = axis.imshow(counts.reshape(28, 28), vmin=0, vmax=20)
        axis.set_title(method, fontsize=11)
        axis.set_axis_off()
    figure.colorbar(image, ax=axes, label="connections per pixel")
    path = pathlib.Path(__file__).with_name("connections.png")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
