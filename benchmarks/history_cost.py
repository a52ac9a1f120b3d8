"""What a suggestion's reading costs: a study's history read whole, and read again where it was kept, in the same run.

After each of a few results the history is read anew and from what was kept, in turn; told are medians of milliseconds,
and what handing it to the process that fits costs (a fit that does nothing). What the samplers themselves take:
benchmarks/suggest_cost.py.

    python benchmarks/history_cost.py --stored 1000 10000 100000
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from past import fill
from throughput import SPEC, postgres, statement

from service.fits import Fitters
from service.search.protocol import History, Suggestion
from service.store.database import Database
from service.store.histories import Histories
from service.store.migrating import migrate
from trialbook.spec import StudySpec

STUDY = "insert into studies (name, owner, spec, trainer, priority) values ($1, '', '{}', 'external', 1) returning id"
RESULT = """
    with made as (
        insert into trials (study_id, number, state, source, params, attempt, value, score, finish_seq)
        values ($1, $2, 'complete', 'sampler', '{"x": 0.5, "y": 0.5}', 1, 0.5, 0.5, nextval('finish_order'))
        returning study_id, number, state
    )
    insert into events (study_id, kind, number, state) select study_id, 'trial', number, state from made
"""


class Idle:
    """A sampler that only takes what it is given."""

    def suggest(self, history: History, numbers: tuple[int, ...]) -> list[Suggestion]:
        return []


def build(space: object, options: object) -> Idle:
    """What the fit's process builds."""
    return Idle()


async def milliseconds(call: Callable[[], Awaitable[object]]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    await call()
    return 1000 * (time.perf_counter() - begun)


async def measure(url: str, stored: int, repeats: int) -> dict[str, float]:
    """Medians for a study of so many trials."""
    study = await statement(url, STUDY, f"history-{stored}")
    await fill(url, f"history-{stored}", stored)
    spec = StudySpec.model_validate({**SPEC, "name": "history"})
    db, kept = Database(url), Histories()
    found: dict[str, list[float]] = {"whole": [], "kept": [], "handed over": []}
    async with Fitters(build="history_cost:build") as fits:
        known = await kept.known(db, study)
        await fits.suggest(spec, known.history, [0])  # the process has started
        for repeat in range(repeats):
            await statement(url, RESULT, study, stored + repeat)
            found["whole"].append(await milliseconds(lambda: Histories().known(db, study)))
            found["kept"].append(await milliseconds(lambda: kept.known(db, study)))
            found["handed over"].append(await milliseconds(lambda: fits.suggest(spec, known.history, [0])))
    await db.close()
    return {what: statistics.median(spent) for what, spent in found.items()}


def main() -> None:
    """Print one line for each number of stored trials."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--stored", type=int, nargs="+", default=[1000, 10_000, 100_000])
    options.add_argument("--repeats", type=int, default=9)
    chosen = options.parse_args()
    print("milliseconds, medians\n stored      read whole   read again   ratio   handed to the fit")
    with postgres() as url:
        migrate(url)
        for stored in chosen.stored:
            ms = asyncio.run(measure(url, stored, chosen.repeats))
            ratio = ms["whole"] / ms["kept"]
            print(
                f"{stored:7,} {ms['whole']:15.1f} {ms['kept']:12.1f} {ratio:7.1f} {ms['handed over']:19.1f}", flush=True
            )


if __name__ == "__main__":
    main()
