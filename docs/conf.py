"""How Sphinx makes a site of these pages: `make docs`. It asks nothing of the network, and neither do its pages."""

from typing import Any

from pygments.lexers.special import TextLexer

project = "Retort"
extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["requirements*"]
root_doc = "index"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = project
html_show_sphinx = False
html_copy_source = False

ELSEWHERE = {"../CHANGELOG.md": "changelog.md", "../client/README.md": "python.md"}
"""Pages that lie beside what they describe, by the page that shows them here."""


def setup(app: Any) -> None:
    """What the pages have that Sphinx does not know by itself."""
    for language in ("mermaid", "conf"):  # shown as they are
        app.add_lexer(language, TextLexer)
    app.connect("source-read", _link_within_the_site)


def _link_within_the_site(_app: Any, _page: str, source: list[str]) -> None:
    for file, page in ELSEWHERE.items():
        source[0] = source[0].replace(f"]({file}", f"]({page}")
