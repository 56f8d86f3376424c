"""Searches for tickets, and what training makes of them."""

import numpy as np

from rigl_tf import kinds
from rigl_tf.plots import parts

_MARKERS = "os^Dv*"  # of sparsities


def search(records, path):
    """Draws density and validation accuracy over the epochs of the search.

    Args:
        records: List of `Record` of tickets that were searched by training.
        path: File to write, PNG by its ending.
    """
    groups = {
        kind: runs
        for kind, runs in kinds.group(records).items()
        if "sparsity" in runs[0].ticket.get("search", {})
    }
    parts.check_one_task(groups)
    figure, axes = parts.new_figure(1, 2, width=5)
    densities, accuracies = axes.flat
    styled = parts.styles(str(kind) for kind in groups)
    for kind, runs in groups.items():
        history, style = runs[0].ticket["search"], styled[str(kind)]
        epochs = range(1, len(history["sparsity"]) + 1)
        look = {"color": style.colour, "label": str(kind)}
        densities.plot(epochs, 1 - np.array(history["sparsity"]), **look)
        densities.plot(
            epochs, 1 - np.array(history["bound"]), ":", color=style.colour
        )
        accuracies.plot(epochs, 100 * np.array(history["val_accuracy"]), **look)
        accuracies.axhline(
            100 * np.mean([run.test["accuracy"] for run in runs]),
            color=style.colour,
            linestyle="--",
        )
    parts.logarithmic(densities)
    densities.set_ylabel("density of the search; dotted: its bound")
    accuracies.set_ylabel("validation accuracy, %; dashed: test, trained")
    for panel in axes.flat:
        panel.set_xlabel("epoch of the search")
        panel.xaxis.get_major_locator().set_params(integer=True)
    parts.save(figure, path)


def before_and_after(records, path):
    """Draws test accuracy after training against that before it.

    Args:
        records: List of `Record` of tickets, of one task.
        path: File to write, PNG by its ending.
    """
    groups = kinds.group([r for r in records if r.ticket])
    parts.check_one_task(groups)
    figure, axes = parts.new_figure(1, 1)
    styled = parts.styles(kind.label for kind in groups)
    sparsities = sorted({kind.sparsity for kind in groups})
    for kind, runs in groups.items():
        number = sparsities.index(kind.sparsity)
        axes[0, 0].plot(
            [100 * run.ticket["before"]["accuracy"] for run in runs],
            [100 * run.test["accuracy"] for run in runs],
            _MARKERS[number % len(_MARKERS)],
            color=styled[kind.label].colour,
            alpha=0.8,
            label=str(kind),
        )
    axes[0, 0].set_xlabel("test accuracy before training, %")
    axes[0, 0].set_ylabel("test accuracy after training, %")
    parts.save(figure, path)
