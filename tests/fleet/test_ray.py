"""A fleet on a real Ray cluster of several nodes, each with files of its own as on another machine."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.end_to_end.conftest import running_server
from tests.end_to_end.machines import PATIENCE, Worker, eventually
from tests.end_to_end.studies import own

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SOURCE = """
import os
import time
def train(trial):
    for step in range(10):
        time.sleep(0.2)
        trial.report(step, loss=trial.params["x"])
    trial.attributes["device"] = os.environ["CUDA_VISIBLE_DEVICES"]
    trial.attributes["folder"] = os.path.dirname(__file__)
    trial.attributes["secrets"] = [name for name, value in os.environ.items() if value.startswith("tb_")]
    return trial.params["x"]
"""
CLUSTER = """
import sys
from ray.cluster_utils import Cluster

def add(folder, **options):
    return cluster.add_node(temp_dir=folder, object_store_memory=80 * 2**20, num_cpus=2, num_gpus=1, **options)

head, *folders = sys.argv[1:]
cluster = Cluster(initialize_head=True, head_node_args={
    "temp_dir": head, "num_cpus": 0, "include_dashboard": False, "include_log_monitor": False, "no_monitor": True,
    "object_store_memory": 80 * 2**20,
    "_system_config": {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}})  # a dead node is soon known
nodes = [add(folder) for folder in folders[:2]]
print(cluster.address, flush=True)
for line in sys.stdin:
    if line == "kill\\n":
        cluster.remove_node(nodes[0], allow_graceful=False)
    if line == "add\\n":
        add(folders[2])
    print("done", flush=True)
cluster.shutdown()
"""


class Machines:
    """A head without room for workers and two nodes for two workers each, told what to do by lines. The cluster's
    address, which Ray notes for the whole machine, goes into its folder too (RAY_TMPDIR): /tmp/ray need not be there.
    """

    def __init__(self):
        self._folder = tempfile.mkdtemp(prefix="tb-ray-")
        self.folders = [f"{self._folder}/{name}" for name in ("ray", "a", "b", "c")]  # short: sockets are in there
        for folder in self.folders:
            Path(folder).mkdir()
        environ = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": self._folder}
        command = [sys.executable, "-c", CLUSTER, *self.folders]
        self._said = Path(self._folder, "said")
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
            )
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            said = self._said.read_text()
            self.close()
            pytest.fail(f"Ray did not start: {said[-2000:]}")

    def do(self, what):
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n", self._said.read_text()[-2000:]

    def logs_with(self, text):
        """The files that Ray has written which hold a text."""
        files = (path for folder in self.folders for path in Path(folder).rglob("*") if path.is_file())
        return [path for path in files if text.encode() in path.read_bytes()]

    def close(self):
        """Ray ends with the process that began it, in the worst case by the kernel's hand."""
        try:
            self._process.communicate(timeout=PATIENCE)
        finally:
            self._process.kill()
            self._process.wait(PATIENCE)
            shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture
def machines():
    one = Machines()
    yield one
    one.close()


def test_a_node_is_killed_in_the_middle_and_the_study_ends_exactly(machines):
    with running_server() as server:
        server.client.create_study(own("fleet", n_trials=12, sampler={"name": "random"}))
        options = ("--trainer", "train:train", "--drain", "--ray", machines.address, "--workers", "4")
        fleet = Worker(server, "fleet", "fleet", *options, "--gpus-per-worker", "0.5", source=SOURCE)
        try:

            def comes(look, what):
                def found():
                    assert fleet.ended() is None, fleet.said()
                    return look()

                return eventually(found, what)

            comes(lambda: len(fleet.events("joined")) == 4, "four workers on two nodes")
            comes(lambda: server.client.get_study("fleet").counts["complete"] >= 2, "some trials are done")
            machines.do("kill")
            comes(lambda: len(fleet.events("lost")) == 2, "the two workers of the node are lost")
            lost = {one["worker"] for one in fleet.events("lost")}
            machines.do("add")
            assert fleet.drained() == 0, fleet.said()
            assert {one["worker"] for one in fleet.events("joined")[4:]} <= lost
        finally:
            fleet.close()
        trials = server.trials("fleet")
        assert [(trial.number, trial.state) for trial in trials] == [(number, "complete") for number in range(12)]
        again = [trial for trial in trials if trial.attempt > 1]
        assert len(again) <= 2 and all(trial.attempt == 2 for trial in again)
        assert {trial.attempts[0].worker for trial in again} <= lost
        assert {trial.attributes["device"] for trial in trials} == {"0"}
        assert not any(trial.attributes["secrets"] for trial in trials)
        assert all(trial.attributes["folder"].startswith(tuple(machines.folders)) for trial in trials)
        assert machines.logs_with(server.token) == []
