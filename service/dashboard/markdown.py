"""Markdown as people write notes, as HTML that a page may hold: no HTML of theirs, no pictures from elsewhere."""

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup


def render_markdown(text: str) -> Markup:
    """CommonMark with tables and struck words. Tags are shown as they were typed; links open elsewhere, and lead only
    to what markdown-it takes for harmless."""
    return Markup(MARKDOWN.render(text))  # noqa: S704  # escaped by markdown-it, as its option `html` says


Tokens = Sequence[Token]


def _link(renderer: RendererHTML, tokens: Tokens, at: int, options: OptionsDict, env: EnvType) -> str:
    tokens[at].attrSet("target", "_blank")
    tokens[at].attrSet("rel", "noopener noreferrer nofollow")
    return renderer.renderToken(tokens, at, options, env)


def _cell(renderer: RendererHTML, tokens: Tokens, at: int, options: OptionsDict, env: EnvType) -> str:
    """A table's cell by class: the pages' policy takes no style in an element."""
    style = str(tokens[at].attrs.pop("style", ""))
    if style:
        tokens[at].attrSet("class", style.rpartition(":")[2])
    return renderer.renderToken(tokens, at, options, env)


MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
for rule, render in (("link_open", _link), ("th_open", _cell), ("td_open", _cell)):
    MARKDOWN.add_render_rule(rule, render)
