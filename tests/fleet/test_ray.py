"""A fleet on a real Ray cluster of several nodes, each with files of its own as on another machine."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.end_to_end.conftest import running_server
from tests.end_to_end.machines import Worker, eventually
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
    "temp_dir": head, "num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 * 2**20})
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
    """A head without room for workers and two nodes for two workers each, told what to do by lines."""

    def __init__(self):
        self.folders = [tempfile.mkdtemp(prefix="tb-ray-") for _ in range(4)]
        environ = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        command = [sys.executable, "-c", CLUSTER, *self.folders]
        self._process = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.address = self._process.stdout.readline().strip()

    def do(self, what):
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def logs_with(self, text):
        """The files that Ray has written which hold a text."""
        files = (path for folder in self.folders for path in Path(folder).rglob("*") if path.is_file())
        return [path for path in files if text.encode() in path.read_bytes()]

    def close(self):
        self._process.communicate(timeout=60)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def machines():
    one = Machines()
    yield one
    one.close()


def test_a_node_is_killed_in_the_middle_and_the_study_ends_exactly(machines):
    with running_server() as server:
        server.client.create_study(own("fleet", n_trials=16, sampler={"name": "random"}))
        options = ("--trainer", "train:train", "--drain", "--ray", machines.address, "--workers", "4")
        fleet = Worker(server, "fleet", "fleet", *options, "--gpus-per-worker", "0.5", source=SOURCE)
        try:
            eventually(lambda: len(fleet.events("joined")) == 4, "four workers on two nodes")
            eventually(lambda: server.client.get_study("fleet").counts["complete"] >= 2, "some trials are done")
            machines.do("kill")
            eventually(lambda: len(fleet.events("lost")) == 2, "the two workers of the node are lost")
            lost = {one["worker"] for one in fleet.events("lost")}
            machines.do("add")
            assert fleet.drained() == 0, fleet.said()
            assert {one["worker"] for one in fleet.events("joined")[4:]} <= lost
        finally:
            fleet.close()
        trials = server.trials("fleet")
        assert [(trial.number, trial.state) for trial in trials] == [(number, "complete") for number in range(16)]
        again = [trial for trial in trials if trial.attempt > 1]
        assert len(again) <= 2 and all(trial.attempt == 2 for trial in again)
        assert {trial.attempts[0].worker for trial in again} <= lost
        assert {trial.attributes["device"] for trial in trials} == {"0"}
        assert not any(trial.attributes["secrets"] for trial in trials)
        assert all(trial.attributes["folder"].startswith(tuple(machines.folders)) for trial in trials)
        assert machines.logs_with(server.token) == []
