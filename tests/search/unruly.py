"""Samplers that misbehave, each in its own way, for children that must survive or be replaced."""

import os
import signal
from pathlib import Path

from service.search import Suggestion
from service.search.random import RandomSampler


class Scripted:
    """Does for each number what the table says; any other number gets a random point."""

    def __init__(self, space, options):
        self.sampler = RandomSampler(space, options.seed)

    def suggest(self, history, numbers):
        return [DEEDS[n]() if n in DEEDS else self.sampler.suggest(history, [n])[0] for n in numbers]


def loop():
    while True:
        pass


def fail():
    raise ValueError("the matrix is singular")


def tell(params):
    return Suggestion(params, {"pid": os.getpid()})


def threads():
    import numpy  # noqa: F401  # loads the library whose threads are counted
    from threadpoolctl import threadpool_info

    return tell({"threads": max(pool["num_threads"] for pool in threadpool_info())})


def chatter():
    print("a library greets its users", flush=True)
    os.write(1, b"in two ways\n")
    return tell({})


LOOP, FAIL, CRASH, EXIT, TELL, THREADS, CHATTER = range(1000, 1007)
DEEDS = {
    LOOP: loop,
    FAIL: fail,
    CRASH: lambda: os.kill(os.getpid(), signal.SIGSEGV),
    EXIT: lambda: os._exit(3),
    TELL: lambda: tell({}),
    THREADS: threads,
    CHATTER: chatter,
}


def noted(space, options):
    """Leaves its process id in the file that the space names, then never returns."""
    Path(space.names[0]).write_text(str(os.getpid()))
    loop()
