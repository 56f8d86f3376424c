"""Tables as text."""


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
