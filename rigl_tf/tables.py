"""Tables as text."""

import csv as csv_format
import io

# What LaTeX would take for something else.
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%#_${}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
}


def markdown(rows):
    """Lays out rows as a Markdown table, the first as its head.

    Args:
        rows: List of sequences of strings, all of one length.

    Returns:
        String.
    """
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


def csv(rows):
    """Lays out rows as comma-separated values, the first as their head."""
    text = io.StringIO()
    csv_format.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().rstrip("\n")


def latex(rows):
    """Lays out rows as a `tabular` of LaTeX with the rules of booktabs."""
    lines = [
        " & ".join("".join(_LATEX.get(c, c) for c in cell) for cell in row)
        + r" \\"
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


FORMATS = {"markdown": markdown, "csv": csv, "latex": latex}
ENDINGS = {"markdown": "md", "csv": "csv", "latex": "tex"}
