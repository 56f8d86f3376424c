"""Colours and lines of methods."""

import textwrap
from typing import NamedTuple

import numpy as np

from rigl_tf.results import grouping
from rigl_tf.utils import extras

with extras.needed("runs"):
    import matplotlib
    import matplotlib.colors

MOST_SERIES = 6  # with a colour, in a panel


class Style(NamedTuple):
    """The style of a series."""

    colour: str
    line: str | tuple = "-"

    @property
    def marker(self):
        """String, the marker of the line's dots."""
        return _MARKERS[self.line]


DENSE = Style("#000000")
GREY = Style("#BBBBBB")
# The first six are of Okabe & Ito, which colour-blind readers can distinguish.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#882255",
    "#999933",
    "#332288",
    "#8C564B",
    "#117733",
    "#AA4499",
)
LINES = ("-", "--", ":", "-.", (0, (8, 2)))
_MARKERS: dict[str | tuple, str] = dict(zip(LINES, "osD^v", strict=True))
# Each method has the same style in all figures. The first ones differ in their
# colours, the others in their lines and markers.
METHODS = (
    *("rigl", "set", "static", "snfs", "gradual_pruning", "ggr"),
    *("rigl_sm", "dsr", "set_rigl", "ggr_rigl", "ggr_set", "gem_miner"),
    *("imp", "rigl_sg", "rigl_reinit", "magnitude", "snip", "synflow"),
    *("random", "mest", "granet", "edge_popup", "lr_rewinding", "wanda"),
    *("deepr", "rigl_itop", "set_itop", "smart_ratio", "ac_dc", "chts"),
    *("rigl_nm", "srigl", "one_shot_lottery", "lamp", "movement_pruning"),
    *("saliency_pruning", "grasp", "prospr", "sparse_gpt", "owl"),
    *("after_training", "small_dense", "smart_ratio_search"),
    *("smart_ratio_tuned", "gem_miner_adam"),
    *("smart_ratio_v4", "smart_ratio_v5", "smart_ratio_v6", "rigl_kernels"),
)


def of_method(method):
    """Returns the `Style` of a method, the same in all figures."""
    if method == "dense":
        return DENSE
    if method in METHODS:
        number = METHODS.index(method)
    else:  # another method's style, but always the same one
        number = sum(map(ord, method))
    line = LINES[number // len(COLOURS) % len(LINES)]
    return Style(COLOURS[number % len(COLOURS)], line)


def choose(runs, rank=None):
    """Chooses the styles of series.

    Series of one method differ in their lines, or in their colours if a figure
    has no other method. Of more than six series, the dense one and those with
    the highest rank have a colour; the others are grey.

    Args:
        runs: Dictionary from the label of a series to its list of `Record`.
        rank: Function from a list of `Record` to a number. By default, series
            in the most settings are first; of equally many, those with the
            best test accuracy.

    Returns:
        Dictionary from a label to a pair: the `Style`, and the label for the
        legend, which names the methods of all grey series.
    """

    def key(label):
        each = runs[label]
        return (each[0].method == "dense", (rank or _rank)(each)), label

    ranked = sorted(runs, key=key, reverse=True)
    shown, others = sorted(ranked[:MOST_SERIES]), ranked[MOST_SERIES:]
    methods = {runs[label][0].method for label in shown} - {"dense"}
    styled = {}
    for label in shown:
        own = of_method(runs[label][0].method)
        styled[label] = _first_free(own, set(styled.values()), len(methods) > 1)
    names = ", ".join(sorted({runs[label][0].method for label in others}))
    grey = textwrap.fill(f"others: {names}", 40, max_lines=8)
    return {
        **{label: (style, label) for label, style in styled.items()},
        **dict.fromkeys(others, (GREY, grey)),
    }


def _rank(runs):
    settings = {grouping.group_key(run)[1:] for run in runs}
    accuracies = [run.test.get("accuracy", 0) for run in runs]
    return len(settings), np.mean(accuracies)


def _first_free(own, taken, keep_colour):
    field = "colour" if keep_colour else "line"
    options = sorted(
        [Style(colour, line) for line in LINES for colour in COLOURS],
        key=lambda style: getattr(style, field) != getattr(own, field),
    )
    return next(style for style in [own, *options] if style not in taken)


def numbered(labels):
    """Returns a dictionary from labels that are not methods to styles."""
    options = [DENSE, *(Style(c, line) for line in LINES for c in COLOURS)]
    return dict(zip(labels, options, strict=False))


def shades(labels):
    """Returns styles for an ordered series of values, such as sparsities."""
    labels = list(labels)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(labels)))
    return {
        label: (Style(matplotlib.colors.to_hex(colour)), label)
        for label, colour in zip(labels, colours, strict=True)
    }
