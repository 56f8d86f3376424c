"""Tests of tables as text."""

import csv
import io

from rigl_tf import tables

ROWS = [("method", "accuracy, %"), ("set_rigl", "91.0 ± 0.5"), ("a & b", "")]


def test_markdown_is_aligned():
    assert tables.markdown(ROWS).splitlines() == [
        "| method   | accuracy, % |",
        "|----------|-------------|",
        "| set_rigl | 91.0 ± 0.5  |",
        "| a & b    |             |",
    ]


def test_comma_separated_values_come_back():
    read = list(csv.reader(io.StringIO(tables.csv(ROWS))))

    assert read == [list(row) for row in ROWS]


def test_latex_shows_what_it_would_take_for_commands():
    assert tables.latex(ROWS).splitlines() == [
        r"\begin{tabular}{ll}",
        r"\toprule",
        r"method & accuracy, \% \\",
        r"\midrule",
        r"set\_rigl & 91.0 $\pm$ 0.5 \\",
        r"a \& b &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
