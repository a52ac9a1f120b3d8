"""A short run of chaos, of a fixed seed: every kind of fault happens, and every promise is kept."""

import asyncio

import pytest

from tests.chaos.chaos import FAULTS, run
from tests.chaos.proxy import CHANCES
from tests.chaos.report import INTERFERENCES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
SECONDS, SEED = 45, 20


def test_struck_from_all_sides_the_service_keeps_its_promises():
    report = asyncio.run(run(SECONDS, SEED))
    assert report.is_clean, str(report)
    assert set(report.faults) >= {*FAULTS, *CHANCES}
    assert report.interfered == set(INTERFERENCES)
    assert report.trials["complete"] > 50
    assert report.again > 0
    assert any(call.operation == "finishTrial" and call.asked["state"] == "paused" for call in report.calls)
