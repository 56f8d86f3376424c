"""Tables as text, whatever is in their cells."""

import csv as csv_format
import io
import itertools
import re
import sys
import textwrap
from collections.abc import Mapping
from collections.abc import Sequence

# What would be taken for something else than text.
_MARKDOWN = {sign: f"\\{sign}" for sign in "|\\<[`"}
# Also after what some languages separate cells by.
_FORMULA = re.compile(r"(?<![^;])(?=[=@＝＠＋－]|[+-](?![\d.,%± ]*(?:;|$)))")
_MAX_WIDTH = 100
# The parts of a cell between which a line may end.
_PARTS = re.compile(r"\s*[^\s_/]*[_/]+|\s*[^\s_/]+")
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
    return _markdown([[row] for row in rows])


def terminal(rows: Sequence[Sequence[str]]) -> str:
    """Lays out rows like `markdown` if they fit in 100 columns.

    Otherwise, a column whose cells are all equal becomes a line above the
    table, and the widest cells are continued in lines below. A single row
    becomes a list.

    Args:
        rows: List of sequences of strings, all of one length, the head first.

    Returns:
        String.

    Example:

    >>> print(terminal([("claim", "runs"), ("Claims are long. " * 7, "7")]))
    claim: Claims are long. Claims are long. Claims are long. Claims are long.
        Claims are long. Claims are long. Claims are long.
    runs: 7
    """
    whole = markdown(rows)
    if whole.index("\n") <= _MAX_WIDTH or len(rows) < 2:
        return whole
    columns = [[shown(cell).strip() for cell in c] for c in zip(*rows)]
    equal = [c for c in columns if len(set(c[1:])) == 1 and c[0] and c[1]]
    lines = [
        textwrap.fill(f"{c[0]}: {c[1]}", 78, subsequent_indent="    ")
        for c in equal
    ]
    if len(rows) > 2:
        others = [column for column in columns if column not in equal]
        lines += ["", _narrow(list(zip(*others)))] if others else []
    return "\n".join(lines)


def printed(rows: Sequence[Sequence[str]]) -> str:
    """Lays out rows for stdout: `terminal`, or `markdown` for files."""
    return terminal(rows) if sys.stdout.isatty() else markdown(rows)


def _narrow(rows: Sequence[Sequence[str]]) -> str:
    """Lays out rows in at most 100 columns, with lines in cells."""
    rows = [[_escaped(cell, _MARKDOWN) for cell in row] for row in rows]
    columns = ["\n".join(column) for column in zip(*rows)]
    widths = [max(map(len, column.split("\n"))) for column in columns]
    least = [
        max([len(part.strip()) for part in _PARTS.findall(column)], default=0)
        for column in columns
    ]
    while sum(widths) + 3 * len(widths) + 1 > _MAX_WIDTH:
        wide = [i for i, width in enumerate(widths) if width > least[i]]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    lines = [
        list(itertools.zip_longest(*map(_wrapped, row, widths), fillvalue=""))
        for row in rows
    ]
    return _markdown(lines)


def _wrapped(cell: str, width: int) -> list[str]:
    """Returns the lines of a cell, broken after words, `_` and `/`."""
    lines = [""]
    for part in _PARTS.findall(cell):
        space = " " if part.startswith(" ") and lines[-1] else ""
        part = part.strip()
        if lines[-1] and len(lines[-1]) + len(space) + len(part) > width:
            lines.append("")
            space = ""
        lines[-1] += space + part
    return lines


def _markdown(rows: Sequence[Sequence[Sequence[str]]]) -> str:
    """Lays out rows, each a list of lines, each a list of cells."""
    widths = [
        max(map(len, column))
        for column in zip(*(line for row in rows for line in row), strict=True)
    ]
    head, *body = [
        [
            " | ".join(
                cell.ljust(width)
                for cell, width in zip(line, widths, strict=True)
            )
            for line in row
        ]
        for row in rows
    ]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join(
        [
            *(f"| {line} |" for line in head),
            f"|{rule}|",
            *(f"| {line} |" for row in body for line in row),
        ]
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
PRINTED = {**FORMATS, "markdown": printed}
ENDINGS = {"markdown": "md", "csv": "csv", "latex": "tex"}
