"""Samplers in child processes: what a fit does there costs at most that fit."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from service.fits import FitFailed, Fitters
from service.search import History, build
from tests.search import unruly
from trialbook.spec import StudySpec

pytestmark = pytest.mark.slow

SPEC = StudySpec.model_validate(
    {"name": "a", "objective": {"trainer": "external"}, "space": {"x": {"type": "float", "low": 0, "high": 1}}}
)


def fitted(*requests: list[int], timeout: float = 30.0, size: int = 1) -> list:
    """What each request brought in its turn, the error where it failed."""

    async def run() -> list:
        async with Fitters(size=size, build="tests.search.unruly:Scripted") as fitters:
            return [await attempt(fitters, numbers) for numbers in requests]

    async def attempt(fitters: Fitters, numbers: list[int]):
        try:
            return await fitters.suggest(SPEC, History(), numbers, timeout)
        except FitFailed as failure:
            return failure

    return asyncio.run(run())


def test_suggestions_are_those_of_the_sampler_itself():
    async def run() -> list:
        async with Fitters() as fitters:
            return await fitters.suggest(SPEC, History(), [4, 2])

    assert asyncio.run(run()) == build(SPEC.space, SPEC.sampler).suggest(History(), [4, 2])


def test_process_stays_warm_between_fits():
    first, second = fitted([unruly.TELL], [unruly.TELL])
    assert first[0].explanation["pid"] == second[0].explanation["pid"] != os.getpid()


def test_hanging_fit_is_killed_and_the_next_one_served():
    hung, after = fitted([unruly.LOOP], [1], timeout=3.0)
    assert str(hung) == "the sampler took longer than 3 s"
    assert len(after) == 1


def test_crash_is_reported_and_the_next_fit_served():
    crashed, ended, after = fitted([unruly.CRASH], [unruly.EXIT], [1])
    assert str(crashed) == "the sampler's process was ended by SIGSEGV"
    assert str(ended) == "the sampler's process ended with code 3"
    assert len(after) == 1


def test_error_is_reported_and_its_process_kept():
    before, failed, after = fitted([unruly.TELL], [unruly.FAIL], [unruly.TELL])
    assert str(failed) == "ValueError: the matrix is singular"
    assert before == after


def test_process_killed_while_idle_costs_at_most_one_fit():
    async def run() -> list:
        async with Fitters(build="tests.search.unruly:Scripted") as fitters:
            [told] = await fitters.suggest(SPEC, History(), [unruly.TELL])
            ended = os.pidfd_open(told.explanation["pid"])
            os.kill(told.explanation["pid"], signal.SIGKILL)
            await asyncio.to_thread(select.select, [ended], [], [], 30)
            os.close(ended)
            with suppress(FitFailed):  # asyncio may hear of it only now
                await fitters.suggest(SPEC, History(), [1])
            return await fitters.suggest(SPEC, History(), [1])

    assert len(asyncio.run(run())) == 1


def test_fits_of_two_processes_overlap():
    async def run() -> tuple:
        async with Fitters(size=2, build="tests.search.unruly:Scripted") as fitters:
            hung = asyncio.create_task(fitters.suggest(SPEC, History(), [unruly.LOOP]))
            served = await fitters.suggest(SPEC, History(), [1])
            return served, hung.done()

    served, done = asyncio.run(run())
    assert len(served) == 1
    assert not done


def test_cancelled_fit_frees_its_place():
    async def run() -> list:
        async with Fitters(build="tests.search.unruly:Scripted") as fitters:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(fitters.suggest(SPEC, History(), [unruly.LOOP]), 2.0)
            return await fitters.suggest(SPEC, History(), [1])

    assert len(asyncio.run(run())) == 1


def test_numerical_libraries_use_one_thread():
    assert fitted([unruly.THREADS])[0][0].params == {"threads": 1}


def test_what_a_library_prints_does_not_disturb_the_answers():
    first, second = fitted([unruly.CHATTER], [1])
    assert first[0].params == {}
    assert len(second) == 1


PARENT = """
import asyncio
from service.fits import Fitters
from service.search import History
from trialbook.spec import StudySpec

spec = StudySpec.model_validate({{"name": "a", "objective": {{"trainer": "external"}}, "space": {{{note!r}:
    {{"type": "float", "low": 0, "high": 1}}}}}})
asyncio.run(Fitters(build="tests.search.unruly:noted").suggest(spec, History(), [1], 600.0))
"""


def test_busy_process_ends_with_its_parent_even_after_a_kill(tmp_path):
    note = tmp_path / "pid"
    os.mkfifo(note)
    with subprocess.Popen([sys.executable, "-c", PARENT.format(note=str(note))]) as parent:
        child = os.pidfd_open(int(note.read_text()))  # reading waits until the child writes
        parent.kill()
    assert select.select([child], [], [], 30)[0] == [child]
    os.close(child)
