"""Workers and servers that die at work, by the real commands: a study ends exactly at n and nothing is lost."""

import pytest

from tests.end_to_end.machines import eventually
from tests.end_to_end.studies import logistic, mlp, steps

pytestmark = pytest.mark.slow
DRAIN = ("--trainer", "logistic", "--drain")
EPOCHS, MANY_EPOCHS, NET_EPOCHS = 30, 60, 80


def require_whole(server, name, n_trials, epochs):
    """The study's trials, each of them complete with a whole curve, numbered without gaps."""
    assert server.study_that_ends(name).counts["complete"] == n_trials
    trials = server.trials(name)
    assert [trial.number for trial in trials] == list(range(n_trials))
    for trial in trials:
        assert steps(trial) == list(range(epochs))
        assert trial.value == trial.reports[-1].metrics["val_loss"]
    return trials


def test_a_killed_workers_trial_is_run_again_and_the_study_ends_exactly_at_n(server, start):
    server.client.create_study(logistic("killed", epochs=EPOCHS, n_trials=5))
    victim, survivor = start(server, "victim", "killed", *DRAIN), start(server, "survivor", "killed", *DRAIN)
    struck = victim.in_the_middle_of_a_trial(EPOCHS)
    victim.kill()
    assert survivor.drained() == 0
    trials = require_whole(server, "killed", 5, EPOCHS)
    assert [trial.attempt for trial in trials] == [2 if n == struck.number else 1 for n in range(5)]
    tries = [(one.worker, one.outcome) for one in trials[struck.number].attempts]
    assert tries == [("victim", "expired"), ("survivor", "complete")]


def test_a_trial_given_back_at_sigterm_goes_on_elsewhere_as_if_never_interrupted(server, start):
    for name in ("interrupted", "whole"):
        server.client.create_study(logistic(name, epochs=MANY_EPOCHS, n_trials=1))
    first = start(server, "first", "interrupted", *DRAIN)
    first.in_the_middle_of_a_trial(MANY_EPOCHS)
    assert first.leave() == 0
    left = server.client.get_trial("interrupted", 0)
    [saved] = server.client.list_artifacts("interrupted", 0)
    assert (left.state, saved.name, saved.step) == ("waiting", "checkpoint", left.last_step)
    second = start(server, "second", None, *DRAIN)
    assert second.drained() == 0
    assert [one.get("resume_step") for one in second.events("lease")] == [saved.step, None]
    [resumed], [whole] = (require_whole(server, name, 1, MANY_EPOCHS) for name in ("interrupted", "whole"))
    assert [one.outcome for one in resumed.attempts] == ["released", "complete"]
    assert (resumed.params, resumed.reports, resumed.value) == (whole.params, whole.reports, whole.value)


NETS = {
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "dropout": 0.2},
    "adam": {"optimizer": "adam", "dropout": 0.2},
}


@pytest.mark.parametrize("net", NETS)
def test_a_killed_workers_training_goes_on_elsewhere_to_the_same_parameters_bit_for_bit(server, start, net):
    often = ("--trainer", "mlp", "--drain", "--checkpoint-seconds", "0.2")
    for name in (f"struck-{net}", f"whole-{net}"):
        server.client.create_study(mlp(name, epochs=NET_EPOCHS, n_trials=1, **NETS[net]))
    first = start(server, f"first-{net}", f"struck-{net}", *often)
    first.in_the_middle_of_a_trial(NET_EPOCHS)
    eventually(lambda: first.wake() or server.client.list_artifacts(f"struck-{net}", 0), "a checkpoint is there")
    first.kill()
    second = start(server, f"second-{net}", None, *often)
    assert second.drained() == 0
    resumed = {one["study"]: one.get("resume_step") for one in second.events("lease")}
    assert resumed[f"struck-{net}"] is not None
    [struck], [whole] = (require_whole(server, f"{name}-{net}", 1, NET_EPOCHS) for name in ("struck", "whole"))
    assert [one.outcome for one in struck.attempts] == ["expired", "complete"]
    assert (struck.params, struck.reports, struck.value) == (whole.params, whole.reports, whole.value)
    hashes = [
        {one.name: one.sha256 for one in server.client.list_artifacts(f"{name}-{net}", 0)}
        for name in ("struck", "whole")
    ]
    assert hashes[0]["model.safetensors"] == hashes[1]["model.safetensors"]


def test_a_worker_that_slept_past_its_lease_is_locked_out_and_goes_on_with_others(server, start):
    server.client.create_study(logistic("slept", epochs=EPOCHS, n_trials=3))
    sleeper = start(server, "sleeper", "slept", *DRAIN)
    struck = sleeper.in_the_middle_of_a_trial(EPOCHS)
    other = start(server, "other", "slept", *DRAIN)
    eventually(lambda: other.events("lease"), "the other worker leases a trial")
    eventually(lambda: server.client.get_trial("slept", struck.number).worker == "other", "the trial is taken over")
    sleeper.wake()
    assert sleeper.drained() == other.drained() == 0
    trials = require_whole(server, "slept", 3, EPOCHS)
    assert [one.outcome for one in trials[struck.number].attempts] == ["expired", "complete"]
    assert not [one for one in sleeper.events("complete") if one["number"] == struck.number]


def test_a_server_killed_at_work_loses_nothing_it_acknowledged_and_workers_need_no_help(mortal_server, start):
    server = mortal_server
    server.client.create_study(logistic("outage", epochs=EPOCHS, n_trials=6))
    workers = [start(server, name, "outage", *DRAIN) for name in ("a", "b")]
    seen = {}
    for results in (1, 2):

        def done(results=results):
            found = {trial.number: trial for trial in server.client.list_trials("outage", state="complete")}
            return found if len(found) >= results else None

        seen |= eventually(done, f"{results} trials are complete")
        server.kill()
        server.start()
    assert [worker.drained() for worker in workers] == [0, 0]
    trials = require_whole(server, "outage", 6, EPOCHS)
    for number, trial in seen.items():
        kept = trials[number].model_dump(include=set(trial.model_dump()))
        kept["attributes"] = {name: kept["attributes"][name] for name in trial.attributes}  # the best has more by now
        assert kept == trial.model_dump()
    told = [(one["number"], one["attempt"]) for worker in workers for one in worker.events("complete")]
    assert sorted(told) == [(trial.number, trial.attempt) for trial in trials]
    assert all(trial.attempt == 1 for trial in trials)  # an outage is no reason to lose a lease
