"""The command of a fleet, as far as it goes without a Ray cluster: a head that is away, and what is refused."""

import json
import signal
import socket

import pytest

pytestmark = pytest.mark.slow
OWN = ("--trainer", "train:train")


@pytest.fixture
def nowhere():
    """An address that nobody listens at while the test lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_head_that_is_away_is_told_of_and_waited_for_until_a_signal(command, nowhere):
    fleet = command("", *OWN, "--ray", nowhere, "--workers", "2")
    told = json.loads(fleet.stderr.readline())
    assert (told["event"], told["address"], fleet.poll()) == ("head-away", nowhere, None)
    fleet.send_signal(signal.SIGTERM)
    fleet.communicate(timeout=30)
    assert fleet.returncode == 0


def test_a_folder_whose_own_package_would_take_the_place_of_ours_is_not_shipped(command, tmp_path, nowhere):
    (tmp_path / "workers").mkdir()
    fleet = command("", *OWN, "--ray", nowhere)
    _, told = fleet.communicate(timeout=30)
    assert (fleet.returncode, "'workers' of its own" in told) == (2, True)


@pytest.mark.parametrize("text", ["tpu", "tpu=many", "=1", "tpu=nan"])
def test_a_resource_is_a_name_and_an_amount(command, nowhere, text):
    fleet = command("", *OWN, "--ray", nowhere, "--resource", text)
    _, told = fleet.communicate(timeout=30)
    assert (fleet.returncode, "NAME=AMOUNT" in told) == (2, True)
