"""What a trial's page says of the files that the trial keeps."""

import hashlib
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.service.calls import finish, lease, submit

pytestmark = pytest.mark.anyio
PAGE = "/studies/study/trials/0"
BROWSER = {"authorization": "", "sec-fetch-site": "same-origin"}
HTML = "<b>&.json"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def submit_book(client: httpx.AsyncClient, trainer: str = "mlp", **fixed: Any) -> None:
    objective = {"trainer": trainer, "data": "digits", "metric": "val_error", "fixed": fixed}
    parameter = {"mlp": "width", "knn": "k"}[trainer]
    await submit(client, objective=objective, space={parameter: {"type": "int", "low": 4, "high": 8}})


async def keep(client: httpx.AsyncClient, *names: str, trainer: str = "mlp") -> dict[str, Any]:
    """A leased trial that keeps files."""
    one = await lease(client, trainers=[trainer])
    assert one is not None
    for name in names:
        content = f"the {name}".encode()
        address = f"/api/v1/leases/{one['lease']}/artifacts/{quote(name)}"
        query = {"sha256": hashlib.sha256(content).hexdigest()}
        answer = await client.put(address, content=content, params=query)
        assert answer.status_code == 200, answer.text
    return one


async def test_files_have_their_size_their_meaning_and_a_link(serve):
    async with serve() as client:
        await submit_book(client)
        await keep(client, "confusion.json", "model.json")
        page = (await client.get(PAGE)).text
    assert 'href="/api/v1/studies/study/trials/0/artifacts/confusion.json" data-file="confusion.json"' in page
    assert "how often each class is called which" in page
    assert ">18 B<" in page
    assert "--download" not in page  # half a model is none


async def test_a_kept_model_has_the_command_that_brings_it_home(serve):
    async with serve() as client:
        await submit_book(client)
        await keep(client, "model.json", "model.safetensors")
        page = (await client.get(PAGE)).text
    assert "trialbook show study 0 --download study-0 --url http://localhost</pre>" in page


async def test_a_signed_in_browser_downloads_a_file(serve):
    async with serve() as client:
        await submit_book(client)
        await keep(client, "output.txt")
        assert (await client.post("/session", json={"token": "first"}, headers=BROWSER)).status_code == 204
        got = await client.get("/api/v1/studies/study/trials/0/artifacts/output.txt", headers=BROWSER)
    assert got.text == "the output.txt"
    assert got.headers["content-disposition"] == 'attachment; filename="output.txt"'


async def test_a_files_name_is_text_and_nothing_else(serve):
    async with serve() as client:
        await submit(client)
        await keep(client, HTML, trainer="external")
        page = (await client.get(PAGE)).text
    assert HTML not in page
    assert 'artifacts/%3Cb%3E%26.json" data-file="&lt;b&gt;&amp;.json"' in page


async def test_a_net_without_histograms_says_how_to_get_them(serve):
    async with serve() as client:
        await submit_book(client)
        await keep(client)
        page = (await client.get(PAGE)).text
    assert "write histograms: true among the fixed parameters" in page


async def test_asked_histograms_come_with_the_trials_end(serve):
    async with serve() as client:
        await submit_book(client, histograms=True)
        one = await keep(client)
        running = (await client.get(PAGE)).text
        await finish(client, one, state="failed", error="no", retry=False)
        failed = (await client.get(PAGE)).text
    assert "are here when the trial is over" in running
    assert "over before its histograms could be kept" in failed


async def test_kept_histograms_need_no_words(serve):
    async with serve() as client:
        await submit_book(client, histograms=True)
        await keep(client, "histograms.json")
        page = (await client.get(PAGE)).text
    assert 'id="unseen" data-live></div>' in page


async def test_a_model_without_layers_is_not_asked_for_histograms(serve):
    async with serve() as client:
        await submit_book(client, "knn")
        await keep(client, trainer="knn")
        page = (await client.get(PAGE)).text
    assert 'id="unseen" data-live></div>' in page
