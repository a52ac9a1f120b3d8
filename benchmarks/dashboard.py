"""How soon a study's page shows its charts, beside optuna-dashboard on the same PostgreSQL and in the same Chromium.

Both show a study whose trials have 50 reported steps each. Measured from the start of the navigation: the first chart
with its trials in it; the whole open tab, which is when nothing more is received or computed; what was received; how
long the page was blocked (tasks over 50 ms, what they took beyond that). Then one trial reports step after step: what
the page receives for each, and how long after the report's answer it is drawn. Medians of several runs.

    python benchmarks/dashboard.py --stored 1000 10000 100000 --peer 1000
"""

import argparse
import asyncio
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from past import fill
from playwright.sync_api import Browser, CDPSession, Page, Response, sync_playwright
from sqlalchemy.engine import make_url
from throughput import SPEC, TOKEN, postgres, serving, statement

from service.store.migrating import migrate

STEPS = 50
METRICS = ("train_loss", "val_loss")
QUIET = 1500  # milliseconds without a byte or a long task, after which a page is taken to be whole
OURS, THEIRS = "trialbook", "optuna-dashboard"
WATCH = """() => {
  window.blocked = [];
  const note = (list) => window.blocked.push(...list.getEntries().map((one) => [one.startTime, one.duration]));
  new PerformanceObserver(note)
    .observe({ type: "longtask", buffered: true });
}"""
# Functions that are asked again at each frame: the page's policy forbids texts to be evaluated.
OUR_CHART = """() => {
  const chart = window.echarts?.getInstanceByDom(document.getElementById("history"));
  return (chart?.getOption()?.series?.find((one) => one.id === "complete")?.data.length ?? 0) > 0 && performance.now();
}"""
THEIR_CHART = (
    """() => document.querySelector(".js-plotly-plot .scatterlayer .points path") !== null && performance.now()"""
)
# Notes when each step of a trial was drawn, by the browser's clock.
FOLLOW = """(number) => {
  const chart = echarts.getInstanceByDom(document.getElementById("curves"));
  window.drawn = {};
  chart.on("rendered", () => {
    const at = Date.now();
    const line = chart.getModel().getSeries().find((one) => one.option.id === `${number}/val_loss`);
    const last = line?.getData().count() ?? 0;
    for (let step = 0; step < last; step += 1) window.drawn[step] ??= at;
  });
}"""


@dataclass
class Opened:
    """One opening of a page, in milliseconds and bytes."""

    first: float
    whole: float
    blocked: float
    received: int


class Traffic:
    """What a page receives, as it comes over the wire: headers and bodies, packed as they are."""

    def __init__(self, page: Page) -> None:
        self.last = time.time()
        self._finished: dict[str, int] = {}
        self._under_way: dict[str, int] = {}
        session: CDPSession = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.dataReceived", self._data)
        session.on("Network.loadingFinished", self._end)

    @property
    def received(self) -> int:
        """Bytes so far."""
        streams = {request: size for request, size in self._under_way.items() if request not in self._finished}
        return sum(self._finished.values()) + sum(streams.values())

    def _data(self, told: dict) -> None:
        size = told["encodedDataLength"] or told["dataLength"]
        self._under_way[told["requestId"]] = self._under_way.get(told["requestId"], 0) + size
        self.last = time.time()

    def _end(self, told: dict) -> None:
        self._finished[told["requestId"]] = int(told["encodedDataLength"])
        self.last = time.time()


def look(browser: Browser, url: str, chart: str, headers: dict[str, str]) -> tuple[Opened, Page, Traffic]:
    """Open a page with an empty cache and wait until it is whole."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, extra_http_headers=headers)
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.add_init_script(f"({WATCH})()")
    traffic = Traffic(page)
    begun = time.time()
    page.goto(url, wait_until="commit")
    first = page.wait_for_function(chart).json_value()
    while True:
        page.wait_for_timeout(100)
        origin, now = page.evaluate("() => [performance.timeOrigin, performance.now()]")
        tasks = page.evaluate("() => window.blocked")
        busy = max([start + took for start, took in tasks], default=0.0)
        heard = traffic.last * 1000 - origin
        if now - max(busy, heard, first) > QUIET:
            break
    blocked = sum(took - 50 for _, took in tasks)
    delay = origin - begun * 1000  # until the browser counts
    return Opened(first + delay, max(busy, heard, first) + delay, blocked, traffic.received), page, traffic


def tell(who: str, stored: int, runs: list[Opened]) -> Opened:
    """One line of the table."""
    middle = Opened(*(statistics.median(getattr(one, name) for one in runs) for name in Opened.__annotations__))
    print(
        f"{who:16} {stored:7,} trials  first chart {middle.first:8.0f} ms  whole tab {middle.whole:8.0f} ms  "
        f"blocked {middle.blocked:7.0f} ms  received {middle.received / 1000:8.0f} kB",
        flush=True,
    )
    return middle


def tell_live(who: str, stored: int, sizes: list[int], waits: list[float]) -> None:
    """Another line of it."""
    print(
        f"{who:16} {stored:7,} trials  a new report: {statistics.median(sizes) / 1000:8.1f} kB, drawn after "
        f"{statistics.median(waits):7.0f} ms (longest {max(waits):.0f} ms)",
        flush=True,
    )


def live_of_ours(page: Page, traffic: Traffic, server: str, reports: int) -> tuple[list[int], list[float]]:
    """One trial reports: the bytes of each report, and the milliseconds from its answer to its line."""
    sizes, waits = [], []
    with httpx.Client(base_url=f"{server}/api/v1", headers={"authorization": f"Bearer {TOKEN}"}) as http:
        asked = {"request_id": f"{time.time_ns()}", "worker": "w", "trainers": ["external"], "study": "shown"}
        [lease] = http.post("/leases", json=asked).json()["leases"]
        page.evaluate(FOLLOW, lease["number"])
        page.wait_for_timeout(3000)  # the trial itself was drawn
        for step in range(reports):
            before = traffic.received
            body = {"reports": [{"step": step, "metrics": {"val_loss": 0.5 / (step + 1), "train_loss": 0.4}}]}
            http.post(f"/leases/{lease['lease']}/reports", json=body).raise_for_status()
            answered = time.time() * 1000
            drawn = page.wait_for_function("(step) => window.drawn[step]", arg=step).json_value()
            page.wait_for_timeout(700)  # whatever comes with it
            waits.append(max(0.0, drawn - answered))
            sizes.append(traffic.received - before)
        http.post(f"/leases/{lease['lease']}/finish", json={"state": "complete", "value": 0.3}).raise_for_status()
    return sizes, waits


def live_of_theirs(page: Page, traffic: Traffic, report: Callable[[int], None], reports: int) -> tuple[list, list]:
    """The same of a page that asks again by itself; taken as drawn when it has its answer."""
    sizes, waits = [], []

    def is_study(answer: Response) -> bool:
        return "/api/studies/" in answer.url and answer.request.method == "GET"

    for step in range(reports):
        before = traffic.received
        report(step)
        answered = time.time() * 1000
        with page.expect_response(is_study) as told:
            pass
        told.value.finished()
        waits.append(time.time() * 1000 - answered)
        sizes.append(traffic.received - before)
    return sizes, waits


def ours(browser: Browser, server: str, stored: int, runs: int, reports: int) -> Opened:
    """Our page of the study."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    opened = []
    for run in range(runs):
        found, page, traffic = look(browser, f"{server}/studies/shown", OUR_CHART, headers)
        opened.append(found)
        if run == runs - 1:
            live = live_of_ours(page, traffic, server, reports)
        page.context.close()
    middle = tell(OURS, stored, opened)
    tell_live(OURS, stored, *live)
    return middle


# Optuna's own first trial, again and again with other values: by its API each would take a tenth of a second.
COPY = """
    with made as (
        insert into trials (number, study_id, state, datetime_start, datetime_complete)
        select n, t.study_id, t.state, t.datetime_start, t.datetime_complete
        from trials t, generate_series(1, $1::int - 1) n returning trial_id
    ), measured as (
        insert into trial_values (trial_id, objective, value, value_type)
        select made.trial_id, v.objective, random(), v.value_type from made, trial_values v
    ), tried as (
        insert into trial_params (trial_id, param_name, param_value, distribution_json)
        select made.trial_id, p.param_name, random(), p.distribution_json from made, trial_params p
    )
    insert into trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
    select made.trial_id, i.step, random(), i.intermediate_value_type from made, trial_intermediate_values i
"""


def fill_optuna(url: str, stored: int) -> None:
    """The same study for Optuna."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="shown", storage=optuna.storages.RDBStorage(url))
    space = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in ("x", "y")}
    steps = dict.fromkeys(range(STEPS), 0.5)
    params = dict.fromkeys(space, 0.5)
    study.add_trial(optuna.trial.create_trial(value=0.5, params=params, distributions=space, intermediate_values=steps))
    asyncio.run(statement(url, COPY, stored))
    asyncio.run(statement(url, "vacuum analyze"))


def theirs(browser: Browser, url: str, stored: int, runs: int, reports: int) -> Opened:
    """optuna-dashboard's page of its study."""
    import optuna

    aside(fill_optuna, url, stored)
    with their_server(url) as server:
        opened = []
        for run in range(runs):
            found, page, traffic = look(browser, f"{server}/dashboard/studies/1", THEIR_CHART, {})
            opened.append(found)
            if run == runs - 1:
                study = optuna.load_study(study_name="shown", storage=optuna.storages.RDBStorage(url))
                trial = study.ask()
                live = live_of_theirs(page, traffic, lambda step, to=trial: to.report(0.5, step), min(reports, 5))
            page.context.close()
    middle = tell(THEIRS, stored, opened)
    tell_live(THEIRS, stored, *live)
    return middle


@contextmanager
def their_server(url: str) -> Iterator[str]:
    """optuna-dashboard on this database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = shutil.which("optuna-dashboard", path=str(sys.exec_prefix) + "/bin")
    process = subprocess.Popen(
        [str(program), url, "--host", "127.0.0.1", "--port", str(port), "--quiet"], stderr=subprocess.DEVNULL
    )
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                httpx.get(f"{base}/api/studies").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait(20)


def aside(act: Callable[..., object], *arguments: object) -> None:
    """Call this in another thread: Playwright has this one's loop."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(act, *arguments).result()


def prepare(server: str, database: str, stored: int, steps: int) -> None:
    """Our study, with its past."""
    with httpx.Client(base_url=f"{server}/api/v1", headers={"authorization": f"Bearer {TOKEN}"}) as http:
        http.delete("/studies/shown")
        objective = {**SPEC["objective"], "metric": "val_loss"}
        http.post("/studies", json={**SPEC, "name": "shown", "objective": objective}).raise_for_status()
    aside(asyncio.run, fill(database, "shown", stored, steps=steps, metrics=METRICS))


def main() -> None:
    """Print the table, and the ratio at equal numbers of trials."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--stored", type=int, nargs="+", default=[1000, 10_000, 100_000])
    options.add_argument(
        "--peer", type=int, nargs="*", default=[1000], help="numbers of trials for optuna-dashboard too"
    )
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--reports", type=int, default=15)
    options.add_argument("--steps", type=int, default=STEPS, help="of our trials; optuna's have 50")
    options.add_argument("--chromium", default=shutil.which("chromium"))
    chosen = options.parse_args()
    found: dict[tuple[str, int], Opened] = {}
    with postgres() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox", "--disable-gpu"])
        aside(asyncio.run, statement(url, "create database ours"))
        own = make_url(url).set(database="ours").render_as_string(hide_password=False)
        aside(migrate, own)
        with serving(own) as server:
            for stored in chosen.stored:
                prepare(server, own, stored, chosen.steps)
                found[OURS, stored] = ours(browser, server, stored, chosen.runs, chosen.reports)
        for stored in chosen.peer:
            aside(asyncio.run, statement(url, f"create database theirs{stored}"))
            peer = make_url(url).set(drivername="postgresql+psycopg", database=f"theirs{stored}")
            where = peer.render_as_string(hide_password=False)
            found[THEIRS, stored] = theirs(browser, where, stored, chosen.runs, chosen.reports)
        browser.close()
    for (who, stored), one in found.items():
        if who == THEIRS and (mine := found.get((OURS, stored))):
            print(
                f"{stored:,} trials: {OURS} shows its first chart {one.first / mine.first:.1f} times as soon as "
                f"{THEIRS}, the whole tab {one.whole / mine.whole:.1f} times, and receives "
                f"{one.received / mine.received:.1f} times less"
            )


if __name__ == "__main__":
    main()
