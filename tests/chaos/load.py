"""Clients that behave badly, from a seed: they sleep past their leases, repeat themselves, lose answers, write late,
cancel and pause. Each call is recorded; what they meet is judged afterwards, so no answer surprises them."""

import asyncio
import hashlib
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx

from tests.chaos.history import Call, Final

LEASE_SECONDS = 0.3  # of the servers that this load is made for
WORKERS = 10
ROUND_SECONDS = 6.0  # at most; most rounds end when their studies do
LOOK_AGAIN = 0.02
LOOK_EVERY = 0.5  # at the history
LAST_STEP = 7
SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
GRID = {"a": {"type": "int", "low": 1, "high": 4}, "b": {"type": "categorical", "choices": ["u", "v", "w"]}}
STUDIES: dict[str, dict[str, Any]] = {
    "plain": {"space": SPACE, "sampler": {"name": "random", "seed": 0}, "budget": {"n_trials": 14}},
    "grid": {"space": GRID, "sampler": {"name": "grid"}, "budget": {"n_trials": 12}},
    "pruned": {"space": SPACE, "budget": {"n_trials": 10}, "pruner": {"name": "median", "n_startup_trials": 1}},
    "frail": {"space": SPACE, "budget": {"n_trials": 4}, "trial": {"max_attempts": 2}},
}


class Recorder:
    """Sends calls and keeps what came of them."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.calls: list[Call] = []
        self._open: dict[int, Call] = {}
        self._numbers = itertools.count()

    async def call(
        self, client: str, operation: str, method: str, path: str, body: Any = None, *, lost: bool = False
    ) -> Any:
        """Send a call; its JSON answer, None unless that was 2xx. `lost`: the call arrives, its answer does not."""
        begun = time.monotonic()
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        asked = None if isinstance(body, bytes) else body
        status, answer, outcome = None, None, "unknown"
        number = next(self._numbers)
        self._open[number] = Call(client, operation, path, asked, begun, begun, "unknown")
        try:
            response = await self._http.request(method, f"/api/v1{path}", **sent)
            if not lost:
                status, outcome = response.status_code, "ok" if response.is_success else "refused"
                answer = response.json() if response.content else None
        except (httpx.TransportError, ValueError):
            pass  # as if no answer had come
        ended = time.monotonic()
        del self._open[number]
        self.calls.append(Call(client, operation, path, asked, begun, ended, outcome, status, answer))  # type: ignore[arg-type]
        return answer if outcome == "ok" else None

    def so_far(self) -> list[Call]:
        """The calls up to now; those without an answer yet may have taken effect."""
        now = time.monotonic()
        return [*self.calls, *(replace(call, ended=now) for call in self._open.values())]


class Round:
    """A few small studies, worked on by many until all are over, or until the round's time is."""

    def __init__(self, recorder: Recorder, seed: int) -> None:
        self._recorder, self._seed = recorder, seed
        self._random = random.Random(seed)
        self._open = {f"{kind}-{seed}": kind for kind in STUDIES}
        self.studies = tuple(self._open)
        self._granted: dict[tuple[str, int, int], asyncio.Event] = defaultdict(asyncio.Event)  # by trial and attempt
        self._numbers = itertools.count()
        self._until = time.monotonic() + ROUND_SECONDS

    async def run(self) -> None:
        """Submit, work, look on and interfere."""
        await asyncio.gather(*(self._submit(name, kind) for name, kind in self._open.items()))
        workers = [self._work(f"worker-{i}") for i in range(WORKERS)]
        await asyncio.gather(*workers, self._look_on(), self._interfere())

    async def _submit(self, name: str, kind: str) -> None:
        external = {"trainer": "external", "metric": "loss", "direction": "minimize"}
        spec = {"name": name, "objective": external, "trial": {"max_attempts": 30}, **STUDIES[kind]}
        await self._recorder.call("owner", "createStudy", "POST", "/studies", spec)
        if kind == "plain":
            points = {"trials": [{"params": {"x": 0.25}}, {"params": {"x": 0.75}}]}
            await self._recorder.call("owner", "addTrials", "POST", f"/studies/{name}/trials", points)

    @property
    def _goes_on(self) -> bool:
        return bool(self._open) and time.monotonic() < self._until

    def _happens(self, probability: float) -> bool:
        return self._random.random() < probability

    async def _work(self, worker: str) -> None:
        while self._goes_on:
            study = self._random.choice(list(self._open))
            leases = await self._acquire(worker, study, self._random.choice((1, 1, 1, 2)))
            await asyncio.gather(*(self._hold(worker, lease) for lease in leases))

    async def _acquire(self, worker: str, study: str, count: int) -> list[dict[str, Any]]:
        body: dict[str, Any] = {"worker": worker, "trainers": ["external"]}
        body |= {"request_id": f"{study}-{next(self._numbers)}"}
        body |= {"study": study, "count": count, "wait_seconds": 0.1}
        times = 2 if self._happens(0.25) else 1

        def ask(*, lost: bool = False) -> Awaitable[Any]:
            return self._recorder.call(worker, "acquireLeases", "POST", "/leases", body, lost=lost)

        if self._happens(0.15):
            await ask(lost=True)
        answers = [one for one in await asyncio.gather(*(ask() for _ in range(times))) if one is not None]
        if any(one.get("reason") == "study-finished" for one in answers):
            self._open.pop(study, None)
        leases: list[dict[str, Any]] = next((one["leases"] for one in answers if one["leases"]), [])
        for lease in leases:
            self._granted[lease["study"], lease["number"], lease["attempt"]].set()
        if not leases:
            await asyncio.sleep(LOOK_AGAIN)
        return leases

    async def _hold(self, worker: str, lease: dict[str, Any]) -> None:
        behaviours = (self._finishes, self._sleeps, self._fails, self._releases, self._dies, self._dawdles)
        behave = self._random.choices(behaviours, weights=(8, 3, 1, 1, 1, 2))[0]
        await behave(Holder(self, self._recorder, worker, lease))

    async def _finishes(self, holder: "Holder") -> None:
        decision = await holder.train(LAST_STEP)
        if decision == "stop":
            await holder.report(1)  # it asks again, and is told again
            return
        state = "pruned" if decision == "prune" else "complete"
        value = None if self._happens(0.3) else holder.loss(holder.step)
        await holder.finish(state, value)
        if self._happens(0.5):
            await holder.finish(state, value)
        if self._happens(0.3):
            await holder.finish("complete", 0.123)  # another result: it must not be taken

    async def _dawdles(self, holder: "Holder") -> None:
        for _ in range(6):
            await asyncio.sleep(LEASE_SECONDS / 4)
            if not await holder.write("renewLease", "POST", "renew", {}):
                return
        await self._finishes(holder)

    async def _sleeps(self, holder: "Holder") -> None:
        await holder.train(self._random.randrange(LAST_STEP))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._granted[*holder.trial, holder.attempt + 1].wait(), 5 * LEASE_SECONDS)
        late: list[Callable[[], Awaitable[Any]]] = [
            holder.put_checkpoint,
            lambda: holder.report(1),
            lambda: holder.finish("complete", 0.456),
        ]
        for write in self._random.sample(range(3), k=self._random.choice((1, 3))):
            await late[write]()

    async def _fails(self, holder: "Holder") -> None:
        await holder.train(self._random.randrange(4))
        await holder.finish("failed", None, error="out of memory")
        await holder.finish("failed", None, error="out of memory")
        await holder.report(1)

    async def _releases(self, holder: "Holder") -> None:
        await holder.train(2)
        await holder.write("releaseLease", "POST", "release", {})
        await holder.report(1)

    async def _dies(self, holder: "Holder") -> None:
        await holder.train(2)

    async def _look_on(self) -> None:
        while self._goes_on:
            study = self._random.choice(list(self._open))
            await self._recorder.call("viewer", "getStudy", "GET", f"/studies/{study}")
            await self._recorder.call("viewer", "listTrials", "GET", f"/studies/{study}/trials?limit=100")
            await asyncio.sleep(LOOK_AGAIN)

    async def _interfere(self) -> None:
        while self._goes_on:
            await asyncio.sleep(self._random.uniform(0.1, 0.3))
            if self._happens(0.5) and self._granted:
                name, number, _ = self._random.choice(list(self._granted))
                await self._recorder.call("owner", "cancelTrial", "POST", f"/studies/{name}/trials/{number}/cancel", {})
            else:
                study = self._random.choice(list(self._open) or self.studies)
                await self._recorder.call("owner", "pauseStudy", "POST", f"/studies/{study}/pause", {})
                await asyncio.sleep(LEASE_SECONDS)
                await self._recorder.call("owner", "resumeStudy", "POST", f"/studies/{study}/resume", {})


class Holder:
    """A worker with a lease: what it may do with it, in time or late."""

    def __init__(self, a_round: Round, recorder: Recorder, worker: str, lease: dict[str, Any]) -> None:
        self._round, self._recorder, self._worker, self._lease = a_round, recorder, worker, lease
        self.trial = lease["study"], lease["number"]
        self.attempt: int = lease["attempt"]
        self.step = -1 if lease["resume_step"] is None else int(lease["resume_step"])  # the last one reported

    def loss(self, step: int) -> float:
        """The loss of a step: another one in each attempt, so that it tells whose it is."""
        return round(random.Random(f"{self.trial} {self.attempt} {step}").random(), 6)

    async def write(self, operation: str, method: str, action: str, body: Any) -> Any:
        """A call under the lease; at times its answer is lost and it is made again."""
        path = f"/leases/{self._lease['lease']}/{action}"
        if self._round._happens(0.08):
            await self._recorder.call(self._worker, operation, method, path, body, lost=True)
        return await self._recorder.call(self._worker, operation, method, path, body)

    async def report(self, count: int) -> str | None:
        """Report the next steps, and at times the same once more; what was decided, None where that was refused."""
        steps = range(self.step + 1, self.step + 1 + count)
        body = {"reports": [{"step": step, "metrics": {"loss": self.loss(step)}} for step in steps]}
        answer, _ = await asyncio.gather(self.write("report", "POST", "reports", body), self._look(0.4))
        if answer is not None:
            self.step += count
            if answer["decision"] == "prune" or self._round._happens(0.15):
                await self.write("report", "POST", "reports", body)
        if answer is not None and self._round._happens(0.1):
            other = {"reports": [{"step": self.step, "metrics": {"loss": 0.5}}]}
            await self.write("report", "POST", "reports", other)  # other values: they must not be taken
        return None if answer is None else str(answer["decision"])

    async def train(self, last_step: int) -> str | None:
        """Report up to a step, with checkpoints; the last decision."""
        decision: str | None = "continue"
        while self.step < last_step and decision == "continue":
            decision = await self.report(min(self._round._random.choice((1, 2, 4)), last_step - self.step))
            if decision == "continue" and self._round._happens(0.4):
                await self.put_checkpoint()
        return decision

    async def put_checkpoint(self) -> None:
        """Keep a checkpoint at the last step that was reported."""
        content = f"{self.trial} {self.attempt} {self.step}".encode()
        query = f"sha256={hashlib.sha256(content).hexdigest()}&step={max(self.step, 0)}"
        await self.write("putArtifact", "PUT", f"artifacts/checkpoint?{query}", content)

    async def finish(self, state: str, value: float | None, error: str | None = None) -> None:
        """Finish, and at times look at once whether it is so."""
        body = {"state": state, "value": value, "error": error, "attributes": {"attempt": self.attempt}}
        await self.write("finishTrial", "POST", "finish", body)
        await self._look(0.5)

    async def _look(self, probability: float) -> None:
        if self._round._happens(probability):
            path = f"/studies/{self.trial[0]}/trials/{self.trial[1]}"
            await self._recorder.call(self._worker, "getTrial", "GET", path)


async def read_final(http: httpx.AsyncClient, studies: tuple[str, ...]) -> Final:
    """What the server holds of these studies."""

    async def get(path: str) -> Any:
        response = await http.get(f"/api/v1{path}")
        response.raise_for_status()
        return response.json()

    final = Final([], {}, {})
    for name in studies:
        final.studies.append(await get(f"/studies/{name}"))
        numbers = [one["number"] for one in (await get(f"/studies/{name}/trials?limit=1000"))["items"]]
        final.trials[name] = [await get(f"/studies/{name}/trials/{number}") for number in sorted(numbers)]
        files = [(await get(f"/studies/{name}/trials/{one}/artifacts"))["items"] for one in sorted(numbers)]
        final.artifacts[name] = dict(zip(sorted(numbers), files, strict=True))
    return final


async def play(
    url: str, token: str, seed: int, is_enough: Callable[[list[Call]], bool] = lambda _: False
) -> tuple[list[Call], Final | None]:
    """One round against a server: the history and what was left; None where the history was enough before the end."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
        recorder = Recorder(http)
        a_round = Round(recorder, seed)
        going_on = asyncio.create_task(a_round.run())
        while not (await asyncio.wait([going_on], timeout=LOOK_EVERY))[0]:
            if is_enough(calls := recorder.so_far()):
                going_on.cancel()
                await asyncio.wait([going_on])
                return calls, None
        await going_on
        return recorder.calls, await read_final(http, a_round.studies)
