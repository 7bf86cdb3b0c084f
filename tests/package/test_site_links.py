"""Links of a page lead somewhere on GitHub and on the documentation site."""

import pytest
from tools.site_links import ROOT_PAGES, for_the_site

PAGES = ROOT_PAGES | {"docs/install.md": "install.md", "docs/decisions/engine.md": "decisions/engine.md"}
REPOSITORY = "https://code.example/project"


@pytest.mark.parametrize(
    ("source", "link", "on_the_site"),
    [
        ("README.md", "docs/install.md#helm", "install.md#helm"),
        ("docs/install.md", "../README.md", "index.md"),
        ("docs/decisions/engine.md", "../install.md", "../install.md"),
        ("docs/install.md", "decisions/engine.md", "decisions/engine.md"),
        ("docs/install.md", "../Makefile", f"{REPOSITORY}/blob/main/Makefile"),
        ("docs/install.md", "../deploy/", f"{REPOSITORY}/tree/main/deploy"),
        ("docs/install.md", "#helm", "#helm"),
        ("docs/install.md", "https://liqo.io", "https://liqo.io"),
    ],
)
def test_a_link_leads_to_a_page_or_into_the_repository(source: str, link: str, on_the_site: str) -> None:
    assert for_the_site(f"[text]({link})", source, PAGES, REPOSITORY) == (f"[text]({on_the_site})", [])


def test_a_link_to_a_missing_file_is_reported() -> None:
    _, missing = for_the_site("[text](../no/such.py)", "docs/install.md", PAGES, REPOSITORY)
    assert missing == ["no/such.py"]


def test_code_is_left_as_it_is() -> None:
    code = "```text\n[text](../no/such.py)\n```\n"
    assert for_the_site(code, "docs/install.md", PAGES, REPOSITORY) == (code, [])
