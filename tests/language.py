"""Checks that docstrings, comments, messages and docs are in plain English.

    python -m tests.language [--all]

Prints each place that a reader would have to translate, and fails if there are
more than 2.5 in 1,000 words. `--all` lists all of them.
"""

import ast
import collections
import pathlib
import re
import sys
import tokenize

ROOT = pathlib.Path(__file__).parent.parent
BUDGET = 2.5  # in 1,000 words
HEADLINES = re.compile(r"(What|Those|That which|Of|Whether|How|Where)\b")
UNUSUAL = re.compile(
    r"\b(?:those of|that of|(?:of|in|by) which|the ones that there are"
    r"|anew|beside|go(?:es)? on|went on|going on|told|tells|spoil(?:t|s)?"
    r"|mend(?:s|ed)?|by and by|so many|of (?:its|their) own"
    r"|as (?:it is|they are)"
    r"|begin(?:s|ning)?|(?:is|are) said of|there (?:is|are) (?:none|nothing)"
    r"|that (?:there )?(?:is|are) there|(?:are|is) there)\b",
    re.IGNORECASE,
)


def texts(path):
    """Yields each text of a file: its line, its kind and the text itself."""
    if path.suffix == ".md":
        prose = re.sub(r"(?s)```.*?```", _blank, path.read_text())
        yield from ((n, "doc", t) for n, t in enumerate(prose.split("\n"), 1))
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef
        ) and ast.get_docstring(node):
            yield node.body[0].lineno, "docstring", ast.get_docstring(node)
        elif isinstance(node, ast.Raise) or _warns(node):
            parts = [
                part.value
                for part in ast.walk(node)
                if isinstance(part, ast.Constant)
                and isinstance(part.value, str)
            ]
            yield node.lineno, "message", " ".join(parts)
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], "comment", token.string


def _blank(block):
    return "\n" * block[0].count("\n")


def _warns(node):
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("warn", "warning")
    )


def hits(kind, text):
    """The words of a text that a reader would have to translate."""
    found = UNUSUAL.findall(text)
    headline = text.split("\n")[0]
    if kind == "docstring" and HEADLINES.match(headline):
        found.append(headline)
    return found


def main():
    words, places = collections.Counter(), collections.defaultdict(list)
    for path in [
        *sorted((ROOT / "rigl_tf").rglob("*.py")),
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    ]:
        for line, kind, text in texts(path):
            words[kind] += len(text.split())
            for found in hits(kind, text):
                where = f"{path.relative_to(ROOT)}:{line}"
                places[kind].append(f"{where}: {found!r}")
    failed = False
    for kind in words:
        rate = 1000 * len(places[kind]) / words[kind]
        print(f"{kind}s: {rate:.1f} in 1,000 of {words[kind]} words")
        failed |= rate > BUDGET
        if rate > BUDGET or "--all" in sys.argv:
            print(*places[kind], sep="\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
