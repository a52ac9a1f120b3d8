"""Notes are Markdown, and nothing in them runs: whatever is typed, a page holds none of it as a tag or an address."""

import asyncio
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dashboard.markdown import render_markdown
from tests.service.calls import submit

TAGS = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "em",
    "strong",
    "s",
    "a",
    "code",
    "pre",
    "blockquote",
    "ul",
    "ol",
    "li",
}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td", "hr", "br"}
ATTRIBUTES = {
    "a": {"href", "title", "target", "rel"},
    "code": {"class"},
    "ol": {"start"},
    "th": {"class"},
    "td": {"class"},
}
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](java\nscript:alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](vbscript:x)",
    "<javascript:alert(1)>",
    '[a](https://x "\\" onmouseover=alert(1) \\"")',
    "![a](https://evil.example/pixel)",
    "[a]: javascript:alert(1)\n\n[a]",
    "| a |\n|:-:|\n| <b onclick=x> |",
    '```"onclick=alert(1) x\ny\n```',
    "<svg/onload=alert(1)>",
    "<!-- --><style>*{}</style>",
]


class Strict(HTMLParser):
    """Fails at every tag, attribute or address that notes have no use for."""

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES.get(tag, set()), (tag, attrs)
        for address in (value for name, value in attrs if name == "href"):
            assert not address.lower().lstrip().startswith(("javascript", "data", "vbscript", "file")), address


def check(text):
    Strict().feed(str(render_markdown(text)))


@pytest.mark.parametrize("text", ATTACKS)
def test_what_would_run_does_not(text):
    check(text)


@given(
    st.lists(
        st.sampled_from([*ATTACKS, "<", ">", "[", "](", ")", "`", "*", "\n", "|", "-", "&lt;", '"', "a"]), max_size=12
    )
)
def test_nothing_pieced_together_runs_either(parts):
    check("".join(parts))


def test_markdown_is_rendered():
    found = str(render_markdown("# Plan\n\n**bold** ~~no~~ [site](https://example.org)\n\n| n |\n|--:|\n| 1 |\n"))
    for part in (
        "<h1>Plan</h1>",
        "<strong>bold</strong>",
        "<s>no</s>",
        'rel="noopener noreferrer nofollow"',
        '<td class="right">1</td>',
    ):
        assert part in found


def test_notes_stand_on_the_study_page_as_they_look_in_the_preview(serve):
    async def run():
        async with serve() as client:
            await submit(client, notes="see *this* <b>")
            page = (await client.get("/studies/study")).text
            draft = {"notes": "see *this* <b>"}
            preview = await client.post("/studies/study/notes/preview", json=draft)
            assert preview.text == "<p>see <em>this</em> &lt;b&gt;</p>\n"
            assert preview.text in page
            assert (await client.post("/studies/nothing/notes/preview", json=draft)).status_code == 404
            assert (await client.post("/studies/study/notes/preview", json={})).status_code == 422

    asyncio.run(run())
