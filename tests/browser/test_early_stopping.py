"""The card Early stopping of the tab Distribution, and a spared trial's own page, in a real Chromium."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import expect

from service.pruning import spares
from tests.service.calls import spec
from trialbook import Client, TrialPruned
from trialbook.spec import ThresholdPruner

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AUDITED = {"name": "threshold", "upper": 1.0, "audit": 0.5}
DRAWN = """wanted => {
  const option = echarts.getInstanceByDom(document.getElementById("stopping-values"))?.getOption();
  const found = option?.series?.map(one => one.data.length);
  return found && String(found) === String(wanted) && option.series[3].markLine.data[0].yAxis === 0.5;
}"""


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client, with a study of which every trial but the first is bad at its first step and good in the end."""
    with Client(server, "none") as made:
        made.create_study(spec("audited", pruner=AUDITED, budget={"n_trials": 12}))
        for trial in made.study("audited").ask():
            losses = (0.5, 0.5) if trial.number == 0 else (2.0, 0.4)
            with suppress(TrialPruned):
                for step, loss in enumerate(losses):
                    trial.report(step, loss=loss)
                trial.finish()
        yield made
        made.delete_study("audited")


def test_what_early_stopping_saved_and_cost_is_told_and_drawn(page, client):
    ran = [n for n in range(1, 12) if spares(ThresholdPruner(**AUDITED), 0, n)]
    page.goto(f"{client.url}/studies/audited?tab=distribution")
    words = page.locator("#stopping-words")
    expect(words).to_contain_text(f"{11 - len(ran)} trials were stopped early, which saved {11 - len(ran)} epochs")
    expect(words).to_contain_text(f"Of {len(ran)} that ran on to the end for the audit, {len(ran)} ended better")
    page.wait_for_function(DRAWN, arg=[len(ran), len(ran), len(ran), 0])
    expect(page.locator("#stopping .tools >> text=SVG")).to_be_visible()
    page.goto(f"{client.url}/studies/audited/trials/{ran[0]}")
    why = "It would have been stopped at step 0: loss 2 is above the upper threshold 1 at step 0"
    expect(page.locator("#result .why")).to_contain_text(why)
