"""Tests of tables as text."""

import csv
import io
import re

import pytest

from rigl_tf.utils import text_tables

ROWS = [("method", "accuracy, %"), ("set_rigl", "91.0 ± 0.5"), ("a & b", "")]


def test_markdown_is_aligned():
    assert text_tables.markdown(ROWS).splitlines() == [
        "| method   | accuracy, % |",
        "|----------|-------------|",
        "| set_rigl | 91.0 ± 0.5  |",
        "| a & b    |             |",
    ]


def test_comma_separated_values_come_back():
    read = list(csv.reader(io.StringIO(text_tables.csv(ROWS))))

    assert read == [list(row) for row in ROWS]


def test_a_cell_stays_in_its_place_whatever_it_says():
    cells = (
        "a|b",
        "two\nlines",
        "\x1b[31mred",
        "\\",
        "[x](y)",
        "<img>",
        "\ud800",
    )
    text = text_tables.markdown([("",) * 7, cells])

    assert len(text.splitlines()) == 3
    assert text.isascii() and text.replace("\n", "").isprintable()
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", text)) == 3 * 8
    assert r"| a\|b |" in text and r"\[x](y)" in text and r"\<img>" in text
    assert len(text_tables.latex([cells]).splitlines()) == 6
    assert text_tables.latex([("[1em]",)]).splitlines()[2] == r"{[}1em] \\"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-x", "'-x"),
        ("\t=1", r"\t=1"),
        ("+0.35", "+0.35"),
        ("-0.30 ± 0.10", "-0.30 ± 0.10"),
        ("x;=1+1;-2;+y", "x;'=1+1;-2;'+y"),  # where ; parts cells
        ("＝1+1", "'＝1+1"),
    ],
)
def test_a_spreadsheet_computes_no_cell(cell, written):
    assert text_tables.csv([(cell,)]) == written


def test_latex_shows_what_it_would_take_for_commands():
    assert text_tables.latex(ROWS).splitlines() == [
        r"\begin{tabular}{ll}",
        r"\toprule",
        r"method & accuracy, \% \\",
        r"\midrule",
        r"set\_rigl & 91.0 $\pm$ 0.5 \\",
        r"a \& b &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
