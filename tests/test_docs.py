"""The code of the documentation runs."""

import pytest

from tests import pages

DOCS = pages.ROOT / "docs"
# Pages whose blocks `test_readme.py` runs one by one.
ALONE = {"deploy.md", "training_loops.md"}
PAGES = [
    str(page.relative_to(DOCS))
    for page in sorted(DOCS.rglob("*.md"))
    if pages.blocks(page) and page.name not in ALONE
]


@pytest.mark.few(6)
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    pages.run(DOCS / page)
