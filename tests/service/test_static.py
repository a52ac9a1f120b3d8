"""Scripts come packed, once; who doesn't take that gets them as they are."""

import asyncio
import gzip

import httpx

from service.dashboard.rendering import FOLDER
from service.static import PackedFiles

CHARTS = "/static/vendor/echarts.min.js"
BYTES = (FOLDER / "static/vendor/echarts.min.js").read_bytes()


async def raw(client, path, **headers):
    """The answer with its bytes as they came."""
    async with client.stream("GET", path, headers=headers) as answer:
        return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


def test_a_script_is_sent_packed_to_who_takes_that(serve):
    async def check():
        async with serve() as client:
            answer, body = await raw(client, CHARTS, **{"accept-encoding": "br, gzip;q=0.8"})
            assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "accept-encoding")
            assert gzip.decompress(body) == BYTES and len(body) < len(BYTES) / 2
            assert answer.headers["content-type"].startswith("text/javascript")
            for refused in ("identity", "gzip;q=0", "br"):
                answer, body = await raw(client, CHARTS, **{"accept-encoding": refused})
                assert "content-encoding" not in answer.headers and body == BYTES
                assert answer.headers["vary"] == "accept-encoding"

    asyncio.run(check())


def test_a_script_that_a_browser_has_is_not_sent_again(serve):
    async def check():
        async with serve() as client:
            first = await client.get(CHARTS)
            again = await client.get(CHARTS, headers={"if-none-match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
            assert (await client.get("/static/none.js")).status_code == 404

    asyncio.run(check())


def test_a_file_that_changes_is_read_again(tmp_path):
    async def check():
        (tmp_path / "a.css").write_text("a {}")
        transport = httpx.ASGITransport(PackedFiles(tmp_path))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            first = await client.get("/a.css")
            (tmp_path / "a.css").write_text("b { }")
            second = await client.get("/a.css", headers={"if-none-match": first.headers["etag"]})
            head = await client.head("/a.css")
        assert (first.text, second.text, head.content) == ("a {}", "b { }", b"")
        assert head.headers == second.headers

    asyncio.run(check())
