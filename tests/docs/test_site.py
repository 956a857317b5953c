"""The documents as a site: built strictly, with every page in its order, and nothing of another server's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs.tools.site_hooks import lead_links
from tests.conftest import ROOT

FETCHED = re.compile(r"<(?:script|img|iframe)[^>]* src=\"?https?:|<link[^>]* href=\"?https?:|@import")
SMALL = """
INHERIT: {root}/mkdocs.yml
docs_dir: docs
site_dir: site
hooks: []
exclude_docs: ""
nav: [index.md]
"""


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    words = ["build", "--strict", "--config-file", str(config), "--site-dir", str(site)]
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", *words], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT / "mkdocs.yml", folder)
    assert built.returncode == 0, built.stderr
    return folder


def test_it_is_built_strictly_with_every_page_in_the_navigation(site: Path) -> None:
    """Strictly: a link or an anchor that leads nowhere ends the build."""
    front = (site / "index.html").read_text(encoding="utf-8")
    pages = (path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
    hrefs = (str(page.with_suffix(".html")).replace("README", "index") for page in pages)
    assert [href for href in hrefs if f'href="{href}"' not in front] == []


def test_it_fetches_nothing_from_another_server(site: Path) -> None:
    fetching = [
        str(page.relative_to(site))
        for page in site.rglob("*.html")
        if FETCHED.search(page.read_text(encoding="utf-8"))
    ]
    assert fetching == []
    assert (site / "search" / "search_index.json").is_file()


def test_what_is_built_is_not_kept_in_the_repository() -> None:
    assert "build/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert "site_dir: build/site" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("# A\n[b](nowhere.md)\n", "nowhere.md"),
        ("# A\n[b](#nowhere)\n", "#nowhere"),
    ],
)
def test_a_link_or_an_anchor_that_leads_nowhere_ends_the_build(tmp_path: Path, page: str, said: str) -> None:
    config = tmp_path / "mkdocs.yml"
    config.write_text(SMALL.format(root=ROOT), encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(page, encoding="utf-8")
    built = build(config, tmp_path / "site")
    assert built.returncode != 0
    assert said in built.stderr


@pytest.mark.parametrize(
    ("page", "link", "led"),
    [
        ("operations.md", "../include/vnfs/README.md#x", "vnfs.md#x"),
        ("mechanisms/apt.md", "../bundles.md", "../bundles.md"),
        ("vnfs.md", "../schemas/vnf.schema.json", "files/include/schemas/vnf.schema.json"),
        ("contributing.md", "docs/adr/README.md", "adr/README.md"),
        ("operations.md", "#x", "#x"),
        ("operations.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("operations.md", "nowhere.md", "nowhere.md"),
    ],
)
def test_links_lead_to_where_the_site_has_what_they_mean(page: str, link: str, led: str) -> None:
    code = f"\n```\n[b]({link})\n```\n"
    assert lead_links(f"[a]({link}){code}", page) == f"[a]({led}){code}"
