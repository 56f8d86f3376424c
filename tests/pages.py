"""The Python of Markdown pages."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent


def blocks(page):
    """Returns the blocks of Python of a page, in order."""
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def run(page, *numbers):
    """Runs blocks of a page in order, by default all; returns their names."""
    code = blocks(page)
    names = {"__name__": "__main__"}
    for number in numbers or range(len(code)):
        source = compile(code[number], f"{page.name}, block {number}", "exec")
        exec(source, names)
    return names
