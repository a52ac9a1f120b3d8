"""Pages of trials: every order and every condition gives what Python's own sorting and comparing gives."""

import asyncio
import csv
import io
import json
import math
import random

import pytest

from tests.service.calls import finish, lease, submit

SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "layers": {"type": "int", "low": 1, "high": 4, "when": {"a<=b": ["x", "1"]}},
    "a<=b": {"type": "categorical", "choices": ["x", 1, "1", True, None, 0.5, "a,b"]},
}
CHOICES = SPACE["a<=b"]["choices"]
TRIALS = "/api/v1/studies/study/trials"
NUMBERS = 40


def point(draw):
    choice = draw.choice(CHOICES)
    active = {"layers": draw.randint(1, 4)} if isinstance(choice, str) and choice in ("x", "1") else {}
    return {"lr": draw.choice([0.001, 0.01, 0.1, draw.uniform(0.001, 1.0)]), **active, "a<=b": choice}


def results():
    """Finished trials, among them some without a value or with one that is no number."""
    draw = random.Random(0)
    for _ in range(NUMBERS):
        state = draw.choice(["complete", "complete", "pruned", "failed", "waiting"])
        value = draw.choice([0.5, draw.random(), "nan", "inf"]) if state in ("complete", "pruned") else None
        yield {"params": point(draw), "state": state} | ({} if value is None else {"value": value})


def listing(check, serve, **changes):
    """Runs a coroutine function of a client, and of all trials of a study as they are."""

    async def run():
        async with serve() as client:
            await submit(client, space=SPACE, budget={"n_trials": NUMBERS + 10}, **changes)
            answer = await client.post(TRIALS, json={"trials": list(results())})
            assert answer.status_code == 200, answer.text
            one = await lease(client)
            await finish(client, one, value=0.25)
            everything = (await client.get(TRIALS, params={"limit": 1000})).json()["items"]
            await check(client, everything)

    asyncio.run(run())


async def walk(client, **asked):
    """The numbers of all trials of a list, page by page."""
    found, cursor = [], {}
    while True:
        answer = await client.get(TRIALS, params={"limit": 7, **asked, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [one["number"] for one in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize("name", ["lr", "layers", "a<=b"])
@pytest.mark.parametrize("sign", [1, -1])
def test_pages_by_a_parameter_are_sorted_and_miss_nothing(serve, name, sign):
    def rank(trial):
        if name not in trial["params"]:
            return (1, 0.0, sign * trial["number"])
        value = trial["params"][name]
        key = [json.dumps(one) for one in CHOICES].index(json.dumps(value)) if name == "a<=b" else value
        return (0, sign * key, sign * trial["number"])

    async def check(client, everything):
        found = await walk(client, order=f"{'-' if sign < 0 else ''}params.{name}")
        assert found == [one["number"] for one in sorted(everything, key=rank)]

    listing(check, serve)


def test_pages_by_duration_put_those_without_one_last(serve):
    async def check(client, everything):
        last = [one["number"] for one in everything if one["finished_at"] is None]
        for order, sign in (("duration", 1), ("-duration", -1)):
            found = await walk(client, order=order, state=["complete", "pruned", "failed", "waiting"])
            assert sorted(found) == [one["number"] for one in everything]
            assert found[-len(last) :] == sorted(last, key=lambda number: sign * number)
        assert (await walk(client, where=["duration>0"])) != []  # the one that a worker ran

    listing(check, serve)


def number(value):
    return math.nan if value is None else float(value)


CONDITIONS = {
    ("value<=0.5",): lambda one: number(one["value"]) <= 0.5,
    ("value>0.5",): lambda one: number(one["value"]) > 0.5,
    ("params.lr>=0.01", "params.lr<0.2"): lambda one: 0.01 <= one["params"]["lr"] < 0.2,
    ("params.layers=2",): lambda one: one["params"].get("layers") == 2,
    ("params.a<=b=x",): lambda one: one["params"]["a<=b"] == "x",
    ("params.a<=b=a,b",): lambda one: one["params"]["a<=b"] == "a,b",
    ("params.a<=b=1",): lambda one: one["params"]["a<=b"] == 1 and one["params"]["a<=b"] is not True,
    ('params.a<=b="1"',): lambda one: one["params"]["a<=b"] == "1",
    ('params.a<=b=["x", null, 0.5]',): lambda one: one["params"]["a<=b"] in ("x", None, 0.5),
    ("number>=10", "number<20"): lambda one: 10 <= one["number"] < 20,
    ("last_step>=0",): lambda one: one["last_step"] is not None,
}


@pytest.mark.parametrize("where", CONDITIONS, ids=" and ".join)
def test_conditions_select_what_python_would(serve, where):
    async def check(client, everything):
        chosen = [one["number"] for one in everything if CONDITIONS[where](one)]
        for order in ("number", "-value", "params.lr"):
            assert sorted(await walk(client, where=where, order=order)) == chosen
        complete = [one["number"] for one in everything if one["state"] == "complete" and one["number"] in chosen]
        assert await walk(client, where=where, state="complete") == complete
        asked = {"where": where, "state": "complete", "limit": 1, "count": True}
        assert (await client.get(TRIALS, params=asked)).json()["total"] == len(complete)

    listing(check, serve)


def test_chosen_numbers_alone_are_listed_counted_and_exported(serve):
    async def check(client, everything):
        assert await walk(client, numbers="7,3,3,999", order="-number") == [7, 3]
        assert (await client.get(TRIALS, params={"count": True})).json()["total"] == len(everything)
        assert (await client.get(TRIALS)).json()["total"] is None
        asked = {"format": "csv", "numbers": "3,4,7", "where": "number>3"}
        exported = (await client.get("/api/v1/studies/study/export", params=asked)).text
        assert [row["number"] for row in csv.DictReader(io.StringIO(exported))] == ["4", "7"]

    listing(check, serve)


WRONG = [
    ({"where": ["value<=0.5", "x<1"]}, "/where/1"),
    ({"where": "params.lr~1"}, "/where/0"),
    ({"where": "params.lr<nan"}, "/where/0"),
    ({"where": "params.lr<"}, "/where/0"),
    ({"where": "params.a<=b>x"}, "/where/0"),
    ({"where": "params.a<=b=z"}, "/where/0"),
    ({"where": "params.a<=b=[[1]]"}, "/where/0"),
    ({"where": "value=0x"}, "/where/0"),
    ({"order": "params.nothing"}, "/order"),
    ({"order": "--number"}, "/order"),
    ({"numbers": "1,x"}, "/numbers"),
    ({"numbers": ",".join(map(str, range(2001)))}, "/numbers"),
]


def test_what_cannot_be_understood_is_told_with_its_place(serve):
    async def check(client, everything):
        for asked, pointer in WRONG:
            answer = await client.get(TRIALS, params=asked)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)

    listing(check, serve)
