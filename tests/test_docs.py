"""The code of the documentation runs, and the site has every public name."""

import ast
import re
import zlib

import pytest

from tests import pages

DOCS = pages.ROOT / "docs"
# Pages whose blocks `test_readme.py` runs one by one.
ALONE = {"deploy.md", "methods.md", "training_loops.md"}
PAGES = [
    str(page.relative_to(DOCS))
    for page in sorted(DOCS.rglob("*.md"))
    if pages.blocks(page) and page.name not in ALONE
]
MESSAGES = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


@pytest.mark.few(4)
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    pages.run(DOCS / page)


def messages():
    """Returns all strings of the library, with `...` for what is filled in."""
    texts = []
    for path in (pages.ROOT / "rigl_tf").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", None) for part in node.values)
                texts.append(
                    "".join(p if isinstance(p, str) else "..." for p in parts)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts).replace("`", "")


def test_troubleshooting_quotes_messages_of_the_library():
    known = messages()
    page = (DOCS / "guides" / "troubleshooting.md").read_text()

    quoted = MESSAGES.findall(page)

    assert len(quoted) > 30
    assert [words for words in quoted if words not in known] == []


def test_the_site_builds_strictly_with_every_public_name(tmp_path):
    """Without the network: themes and fonts are in the packages."""
    build = pytest.importorskip("mkdocs.commands.build")
    from mkdocs.config import load_config

    config = load_config(
        str(DOCS / "site" / "mkdocs.yml"), site_dir=str(tmp_path)
    )
    build.build(config)

    found = inventory(tmp_path / "objects.inv")
    names = pages.ROOT / "tests" / "public_api.txt"
    public = re.findall(r"^[\w.]+", names.read_text(), re.MULTILINE)
    missing = [name for name in public if f"rigl_tf.{name}" not in found]
    assert missing == []
    for page in tmp_path.rglob("*.html"):
        assert "fonts.googleapis" not in page.read_text()


def inventory(path):
    """Returns the names in an inventory of Sphinx's format."""
    *_, content = path.read_bytes().split(b"\n", 4)
    lines = zlib.decompress(content).decode().splitlines()
    return {line.split(" ")[0] for line in lines}
