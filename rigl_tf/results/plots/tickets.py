"""Plots of ticket searches and of the trained tickets."""

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures

_MARKERS = "os^Dv*"  # one for each sparsity


def search(records, path):
    """Draws density and accuracy over the epochs of the search.

    The accuracy is on the validation data, or on the training data without
    validation data. Dashed lines are the test accuracy after training. Runs
    without a search, such as dense runs, only have the dashed line.

    Args:
        records: List of `Record`, all of one task.
        path: Path of the image.
    """
    groups = grouping.group(records)
    figures.check_one_task(groups)
    figure, axes = figures.new_figure(1, 2, width=5)
    densities, accuracies = axes.flat
    styled = figures.styles(str(group) for group in groups)
    searches = [runs[0].ticket.get("search", {}) for runs in groups.values()]
    searches = [history for history in searches if "sparsity" in history]
    has_validation = all("val_accuracy" in history for history in searches)
    metric = "val_accuracy" if has_validation else "accuracy"
    for group, runs in groups.items():
        history = runs[0].ticket.get("search", {})
        style = {"color": styled[str(group)].colour, "label": str(group)}
        accuracies.axhline(
            100 * np.mean([run.test["accuracy"] for run in runs]),
            linestyle="--",
            **style,
        )
        if history not in searches:
            continue
        epochs = range(1, len(history["sparsity"]) + 1)
        densities.plot(epochs, 1 - np.array(history["sparsity"]), **style)
        densities.plot(
            epochs, 1 - np.array(history["bound"]), ":", color=style["color"]
        )
        accuracies.plot(epochs, 100 * np.array(history[metric]), **style)
    figures.logarithmic(densities)
    densities.set_ylabel("density of the search; dotted: its bound")
    name = "validation" if has_validation else "training"
    accuracies.set_ylabel(f"{name} accuracy, %; dashed: test, trained")
    for panel in axes.flat:
        panel.set_xlabel("epoch of the search")
        panel.xaxis.get_major_locator().set_params(integer=True)
    figures.save(figure, path)


def before_and_after(records, path):
    """Draws test accuracy after training against accuracy before training.

    Args:
        records: List of `Record` with tickets, all of one task.
        path: Path of the image.
    """
    groups = grouping.group([r for r in records if r.ticket])
    figures.check_one_task(groups)
    figure, axes = figures.new_figure(1, 1)
    styled = figures.styles(group.label for group in groups)
    sparsities = sorted({group.sparsity for group in groups})
    for group, runs in groups.items():
        number = sparsities.index(group.sparsity)
        axes[0, 0].plot(
            [100 * run.ticket["before"]["accuracy"] for run in runs],
            [100 * run.test["accuracy"] for run in runs],
            _MARKERS[number % len(_MARKERS)],
            color=styled[group.label].colour,
            alpha=0.8,
            label=str(group),
        )
    axes[0, 0].set_xlabel("test accuracy before training, %")
    axes[0, 0].set_ylabel("test accuracy after training, %")
    figures.save(figure, path)
