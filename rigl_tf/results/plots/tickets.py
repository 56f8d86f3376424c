"""Plots of ticket searches and of the trained tickets."""

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.results.plots import figures
from rigl_tf.results.plots import styles

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
    styled = styles.choose({str(g): runs for g, runs in groups.items()})
    searches = [runs[0].ticket.get("search", {}) for runs in groups.values()]
    searches = [history for history in searches if "sparsity" in history]
    has_validation = all("val_accuracy" in history for history in searches)
    metric = "val_accuracy" if has_validation else "accuracy"
    drawn = []
    for group, runs in groups.items():
        history = runs[0].ticket.get("search", {})
        style, label = styled[str(group)]
        style = {"color": style.colour, "label": label}
        drawn.append(100 * np.mean([run.test["accuracy"] for run in runs]))
        accuracies.axhline(drawn[-1], linestyle="--", **style)
        if history not in searches:
            continue
        epochs = range(1, len(history["sparsity"]) + 1)
        densities.plot(epochs, 1 - np.array(history["sparsity"]), **style)
        densities.plot(
            epochs, 1 - np.array(history["bound"]), ":", color=style["color"]
        )
        drawn += list(100 * np.array(history[metric]))
        accuracies.plot(epochs, 100 * np.array(history[metric]), **style)
    figures.logarithmic(densities.yaxis)
    densities.set_ylabel("density of the search; dotted: its bound")
    name = "validation" if has_validation else "training"
    label = f"{name} accuracy, %; dashed: test, trained"
    figures.accuracy_axis(accuracies.yaxis, drawn, label)
    for panel in axes.flat:
        panel.set_xlabel("epoch of the search")
        panel.xaxis.get_major_locator().set_params(integer=True)
    question = "How accurate is the ticket while the search removes weights?"
    figures.save(figure, path, question)


def before_and_after(records, path):
    """Draws test accuracy after training against accuracy before training.

    Args:
        records: List of `Record` with tickets, all of one task.
        path: Path of the image.
    """
    groups = grouping.group([r for r in records if r.ticket])
    figures.check_one_task(groups)
    figure, axes = figures.new_figure(1, 1)
    labels = {}
    for group, runs in groups.items():
        labels.setdefault(group.label, []).extend(runs)
    styled = styles.choose(labels)
    sparsities = sorted({group.sparsity for group in groups})
    for group, runs in groups.items():
        number = sparsities.index(group.sparsity)
        style, label = styled[group.label]
        axes[0, 0].plot(
            [100 * run.ticket["before"]["accuracy"] for run in runs],
            [100 * run.test["accuracy"] for run in runs],
            _MARKERS[number % len(_MARKERS)],
            color=style.colour,
            alpha=0.8,
            label=label if style == styles.GREY else str(group),
        )
    axes[0, 0].set_xlabel("test accuracy before training, %")
    after = [100 * r.test["accuracy"] for runs in groups.values() for r in runs]
    figures.accuracy_axis(axes[0, 0].yaxis, after, "test accuracy after, %")
    question = "Is a ticket that is accurate before training also so after it?"
    figures.save(figure, path, question)
