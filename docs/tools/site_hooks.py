"""What the site has beside the folder ``docs``: pages and files that stand elsewhere in the repository.

A link of a page works in the repository as it stands. Here those that lead out of ``docs`` are led to where
the site has the same: ``vnfs.md`` for ``include/vnfs/README.md``, else ``files/`` and the path in the
repository. MkDocs calls the functions by their names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ELSEWHERE = {
    "vnfs.md": "include/vnfs/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
"""Page of the site -> where it stands in the repository."""
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)\s#]+)")
_FENCED = re.compile(r"(^ *```.*?^ *```)", re.MULTILINE | re.DOTALL)


def find_place(page: str) -> Path:
    """Return where a page of the site stands in the repository."""
    return ROOT / ELSEWHERE[page] if page in ELSEWHERE else DOCS / page


def find_uri(place: Path) -> str:
    """Return where the site has a file of the repository."""
    for page, path in ELSEWHERE.items():
        if place == ROOT / path:
            return page
    return str(place.relative_to(DOCS) if place.is_relative_to(DOCS) else "files" / place.relative_to(ROOT))


def list_linked(page: str) -> set[Path]:
    """Return the files that a page leads to; what is not there is left to MkDocs to name."""
    place = find_place(page)
    links = _LINK.findall(_FENCED.sub("", place.read_text(encoding="utf-8")))
    targets = {(place.parent / link).resolve() for link in links}
    return {target for target in targets if target.is_file() and target.is_relative_to(ROOT)}


def lead_links(markdown: str, page: str) -> str:
    """Return a page's text with its links as the site has them; code blocks stay as they are."""
    place = find_place(page)

    def lead(match: re.Match[str]) -> str:
        target = (place.parent / match[1]).resolve()
        if not target.is_relative_to(ROOT) or not target.is_file():
            return match[1]
        return os.path.relpath(find_uri(target), Path(page).parent)

    parts = _FENCED.split(markdown)
    return "".join(part if part.lstrip().startswith("```") else _LINK.sub(lead, part) for part in parts)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of folders that are named, as ``adr/``, and last those that nobody has placed."""
    nav = _spread(config.nav)
    placed = set(_list_pages(nav))
    others = [page for page in _spread("/") if page not in placed]
    config.nav = [*nav, {"More": others}] if others else nav
    return config


def _list_pages(nav: Any) -> Iterator[str]:  # noqa: ANN401 - lists, mappings and paths
    match nav:
        case list():
            for entry in nav:
                yield from _list_pages(entry)
        case dict():
            yield from _list_pages([*nav.values()])
        case _:
            yield nav


def _spread(nav: Any) -> Any:  # noqa: ANN401 - lists, mappings and paths
    match nav:
        case list():
            return [_spread(entry) for entry in nav]
        case dict():
            return {title: _spread(entry) for title, entry in nav.items()}
        case str() if nav.endswith("/"):
            folder = DOCS / nav.strip("/")
            pages = sorted(path.relative_to(DOCS) for path in folder.rglob("*.md"))
            return [str(page) for page in sorted(pages, key=lambda page: page.name != "README.md")]
        case _:
            return nav


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand elsewhere, and the files that pages lead to."""
    for page, path in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    for file in [
        file for file in files.documentation_pages() if file.inclusion is not InclusionLevel.EXCLUDED
    ]:
        for target in list_linked(file.src_uri):
            uri = find_uri(target)
            if files.get_file_from_path(uri) is None:
                files.append(File.generated(config, uri, abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead the links of a page to where the site has what they mean."""
    return lead_links(markdown, page.file.src_uri)
