"""Tables as text, whatever is in their cells."""

import csv as csv_format
import io
import re
from collections.abc import Mapping
from collections.abc import Sequence

# What would be taken for something else than text.
_MARKDOWN = {sign: f"\\{sign}" for sign in "|\\<[`"}
# Also after what some languages separate cells by.
_FORMULA = re.compile(r"(?<![^;])(?=[=@＝＠＋－]|[+-](?![\d.,%± ]*(?:;|$)))")
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%#_${}"},
    **{sign: f"{{{sign}}}" for sign in "[*"},  # after a line's end
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
}


def shown(text: str) -> str:
    """Returns a text with control characters escaped.

    >>> print(shown("two\\nlines \\x1b[31m"))
    two\\nlines \\x1b[31m
    """
    return "".join(
        sign
        if sign.isprintable()
        else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Lays out rows as a Markdown table, the first as its head.

    Args:
        rows: List of sequences of strings, all of one length.

    Returns:
        String.
    """
    rows = [[_escaped(cell, _MARKDOWN) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        )
        for row in rows
    ]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join(
        [f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])]
    )


def csv(rows: Sequence[Sequence[str]]) -> str:
    """Lays out rows as comma-separated values, the first as their head.

    A cell that a spreadsheet would compute has an apostrophe before it.
    """
    text = io.StringIO()
    csv_format.writer(text, lineterminator="\n").writerows(
        [_FORMULA.sub("'", shown(cell)) for cell in row] for row in rows
    )
    return text.getvalue().rstrip("\n")


def latex(rows: Sequence[Sequence[str]]) -> str:
    """Lays out rows as a `tabular` of LaTeX with the rules of booktabs."""
    lines = [
        " & ".join(_escaped(cell, _LATEX) for cell in row) + r" \\"
        for row in rows
    ]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{'l' * len(rows[0])}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _escaped(cell: str, signs: Mapping[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in shown(cell))


FORMATS = {"markdown": markdown, "csv": csv, "latex": latex}
ENDINGS = {"markdown": "md", "csv": "csv", "latex": "tex"}
