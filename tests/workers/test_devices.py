"""One graphics processor for each process, chosen without any being there."""

import pytest

from workers.devices import device_of, find_devices, split_devices
from workers.fleet.supervision import find_head

SEES = """
import os
def train(trial):
    trial.attributes["sees"] = os.environ.get("CUDA_VISIBLE_DEVICES")
    return 1
"""


@pytest.mark.parametrize(
    ("slots", "devices", "expected"),
    [(4, ("0", "1"), ["0", "1", "0", "1"]), (2, ("0", "1", "2"), ["0", "1"]), (2, (), [None, None])],
)
def test_slots_take_the_devices_in_turn(slots, devices, expected):
    assert [device_of(i, devices) for i in range(slots)] == expected


@pytest.mark.parametrize(
    ("text", "devices"), [("0, 2", ("0", "2")), ("GPU-4a,GPU-9c", ("GPU-4a", "GPU-9c")), ("", ()), ("-1", ())]
)
def test_visible_devices_are_read_as_cuda_reads_them(text, devices):
    assert split_devices(text) == find_devices({"CUDA_VISIBLE_DEVICES": text}) == devices


def test_without_a_restriction_all_cards_of_the_machine_are_used(tmp_path):
    for card in ("0000:01:00.0", "0000:41:00.0"):
        (tmp_path / card).mkdir()
    assert find_devices({}, tmp_path) == ("0", "1")
    assert find_devices({}, tmp_path / "no-driver") == ()


@pytest.mark.slow
def test_each_training_process_sees_the_device_of_its_slot_alone(server, command):
    trials = [server.add(), server.add()]
    server.set(reason=None)
    worker = command(SEES, "--trainer", "train:train", "--processes", "2", "--devices", "5,7")
    server.wait(lambda: len({asked["worker"] for asked in server.asked}) == 2 and all(t.finished for t in trials))
    worker.terminate()
    worker.communicate(timeout=30)
    seen = {trial.finished[0]["attributes"]["sees"] for trial in trials}
    assert seen <= {"5", "7"} and seen


@pytest.mark.parametrize(
    ("address", "head"),
    [("lab:6379", ("lab", 6379)), ("ray://[::1]:10001", ("::1", 10001)), ("auto", None), ("local", None)],
)
def test_a_heads_place_is_read_from_its_address(address, head):
    assert find_head(address) == head
