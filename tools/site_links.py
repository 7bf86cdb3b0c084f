"""Hook of mkdocs: one text for GitHub and for the documentation site.

The pages at the root of the repository become pages of the site. On GitHub a page links to any file of the repository;
the site has only pages, so a link to another file leads to the repository. A link to a file that does not exist is a
warning, which fails a strict build.
"""

import logging
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code_of_conduct.md",
}

_LOG = logging.getLogger("mkdocs.hooks.site_links")
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages at the root of the repository."""
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point each link at a page of the site or at a file of the repository, and warn about those that lead nowhere."""
    pages = {f"docs/{file.src_uri}": file.src_uri for file in files.documentation_pages()} | ROOT_PAGES
    source = Path(str(page.file.abs_src_path)).relative_to(ROOT).as_posix()
    text, missing = for_the_site(markdown, source, pages, str(config.repo_url))
    for target in missing:
        _LOG.warning("%s links to %s, which does not exist", source, target)
    return text


def for_the_site(markdown: str, source: str, pages: Mapping[str, str], repository: str) -> tuple[str, list[str]]:
    """The text with its links, outside code blocks, rewritten, and the link targets that do not exist.

    ``source`` is the page's path in the repository; ``pages`` maps such paths to paths in the site.
    """
    missing: list[str] = []

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        fragment = link[2] or ""
        if target in pages:
            return posixpath.relpath(pages[target], posixpath.dirname(pages[source])) + fragment
        if not (ROOT / target).exists():
            missing.append(target)
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{repository}/{kind}/main/{target}{fragment}"

    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(rewritten, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(rewritten, markdown[end:])]), missing
