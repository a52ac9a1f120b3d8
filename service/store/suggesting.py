"""What the suggester reads and writes: which studies want suggestions, and waiting trials."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.search.protocol import Suggestion
from service.store.database import Database


@dataclass(frozen=True)
class Wish:
    """A study with a model-based sampler, and how its demand stands."""

    study_id: int
    made: int
    room: int | None  # trials that the budget still allows, None for any number
    at_work: int  # workers that run its trials
    polling: int  # other workers that wait for work it could give
    waiting: int  # suggestions ready
    stale: int  # of those, how many miss a finished result


WISHES = text("""
    select s.id as study_id, s.made, s.n_trials - s.counted as room, busy.n as at_work, idle.n as polling,
        ready.n as waiting, ready.stale
    from studies s, lateral (
        select count(distinct worker) as n from trials t where t.study_id = s.id and t.state = 'running'
    ) busy, lateral (
        select count(*) as n from workers w
        where w.polling_until > clock_timestamp() and s.trainer = any(w.trainers)
            and (w.polling_study is null or w.polling_study = s.name)
            and not exists (select from trials t
                where t.study_id = s.id and t.state = 'running' and t.worker = w.name)
    ) idle, lateral (
        select count(*) as n, count(*) filter (where exists (
            select from trials f where f.study_id = s.id and f.finish_seq > t.seen
        )) as stale
        from trials t where t.study_id = s.id and t.state = 'waiting' and t.attempt = 0 and t.source = 'sampler'
    ) ready
    where s.state = 'running' and s.made >= s.inline_until
        and not exists (select from claims c where c.study_id = s.id and c.until > clock_timestamp()
            and c.suggester <> :suggester)
    order by s.id
""")
CLAIM = text("""
    insert into claims (study_id, suggester, until)
    values (:study_id, :suggester, clock_timestamp() + make_interval(secs => :seconds))
    on conflict (study_id) do update set suggester = excluded.suggester, until = excluded.until
        where claims.until < clock_timestamp() or claims.suggester = excluded.suggester
    returning study_id
""")
UNCLAIM = text("delete from claims where study_id = :study_id and suggester = :suggester")


async def wishes(db: Database, suggester: str) -> list[Wish]:
    """The studies whose sampler works ahead and that no other suggester works on."""
    return [Wish(**row) for row in await db.run(WISHES, {"suggester": suggester})]


async def claim(db: Database, study_id: int, suggester: str, seconds: float) -> bool:
    """Claim a study for a while; False where another suggester has it."""
    asked = {"study_id": study_id, "suggester": suggester, "seconds": seconds}
    return bool(await db.run(CLAIM, asked))


async def unclaim(db: Database, study_id: int, suggester: str) -> None:
    """Give a claim back."""
    await db.run(UNCLAIM, {"study_id": study_id, "suggester": suggester})


RENEW = text("""
    update trials t set params = r.params, explanation = r.explanation, seen = :seen
    from json_to_recordset(cast(:rows as json)) as r (number int, params json, explanation jsonb)
    where t.study_id = :study_id and t.number = r.number
        and t.state = 'waiting' and t.attempt = 0 and t.source = 'sampler'
""")
TAKE = text("""
    update studies s set made = s.made + :n, counted = s.counted + :n
    where s.id = :study_id and s.state = 'running' and s.made = :made
        and (s.n_trials is null or s.counted + :n <= s.n_trials)
    returning s.id
""")
ADD = text("""
    with made as (
        insert into trials (study_id, number, source, params, explanation, seen)
        select :study_id, r.number, 'sampler', r.params, r.explanation, :seen
        from json_to_recordset(cast(:rows as json)) as r (number int, params json, explanation jsonb)
        returning number
    )
    insert into events (study_id, kind, number, state) select :study_id, 'trial', number, 'waiting' from made
""")


async def write_suggestions(
    db: Database, study_id: int, made: int, seen: int, suggested: Sequence[tuple[int, Suggestion]]
) -> None:
    """Make waiting suggestions anew in place, and add those whose numbers are new unless others took the numbers.
    `seen` is the place of the last result that they knew of."""
    fresh = [_row(number, one) for number, one in suggested if number >= made]
    renewed = [_row(number, one) for number, one in suggested if number < made]
    async with db.begin() as connection:
        if renewed:
            asked = {"study_id": study_id, "seen": seen, "rows": json.dumps(renewed)}
            await connection.run(RENEW, asked)
        if fresh:
            taken = await connection.one(TAKE, {"study_id": study_id, "made": made, "n": len(fresh)})
            if taken is not None:
                await connection.run(ADD, {"study_id": study_id, "seen": seen, "rows": json.dumps(fresh)})


def _row(number: int, one: Suggestion) -> dict[str, Any]:  # Any: JSON
    return {"number": number, "params": dict(one.params), "explanation": one.explanation}
