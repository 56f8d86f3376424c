"""Searches for tickets, and what training makes of them."""

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures

_MARKERS = "os^Dv*"  # of sparsities


def search(records, path):
    """Draws density and accuracy over the epochs of the search.

    The accuracy is on the validation data, or on the training data if there
    are none. Dashed lines are the test accuracy after training; runs without
    such a search, such as dense ones, have nothing else.

    Args:
        records: List of `Record`, of one task.
        path: File to write, PNG by its ending.
    """
    groups = grouping.group(records)
    figures.check_one_task(groups)
    figure, axes = figures.new_figure(1, 2, width=5)
    densities, accuracies = axes.flat
    styled = figures.styles(str(kind) for kind in groups)
    searches = [runs[0].ticket.get("search", {}) for runs in groups.values()]
    searches = [history for history in searches if "sparsity" in history]
    validated = all("val_accuracy" in history for history in searches)
    metric = "val_accuracy" if validated else "accuracy"
    for kind, runs in groups.items():
        history = runs[0].ticket.get("search", {})
        look = {"color": styled[str(kind)].colour, "label": str(kind)}
        accuracies.axhline(
            100 * np.mean([run.test["accuracy"] for run in runs]),
            linestyle="--",
            **look,
        )
        if history not in searches:
            continue
        epochs = range(1, len(history["sparsity"]) + 1)
        densities.plot(epochs, 1 - np.array(history["sparsity"]), **look)
        densities.plot(
            epochs, 1 - np.array(history["bound"]), ":", color=look["color"]
        )
        accuracies.plot(epochs, 100 * np.array(history[metric]), **look)
    figures.logarithmic(densities)
    densities.set_ylabel("density of the search; dotted: its bound")
    name = "validation" if validated else "training"
    accuracies.set_ylabel(f"{name} accuracy, %; dashed: test, trained")
    for panel in axes.flat:
        panel.set_xlabel("epoch of the search")
        panel.xaxis.get_major_locator().set_params(integer=True)
    figures.save(figure, path)


def before_and_after(records, path):
    """Draws test accuracy after training against that before it.

    Args:
        records: List of `Record` of tickets, of one task.
        path: File to write, PNG by its ending.
    """
    groups = grouping.group([r for r in records if r.ticket])
    figures.check_one_task(groups)
    figure, axes = figures.new_figure(1, 1)
    styled = figures.styles(kind.label for kind in groups)
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
    figures.save(figure, path)
