"""A client over a scripted server: it answers each request with the next of a list, and remembers what was asked."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from trialbook import Client

Scripted = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Script:
    """Answers in order; time passes only while the client pauses."""

    def __init__(self) -> None:
        self.answers: list[Scripted] = []
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    def now(self) -> float:
        return sum(self.pauses)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def client(script: Script) -> Client:
    return Client(
        "http://lab:8000",
        "secret",
        transport=httpx.MockTransport(script),
        clock=script.now,
        sleep=script.pauses.append,
        random=lambda: 0.5,
    )
