"""Each method sends what the contract says and reads what the server answers."""

import hashlib
import io
import json
import math

import httpx
import pytest

from trialbook import StudySpec
from trialbook.errors import LeaseLost
from trialbook.wire import Finish, NewTrial, Report

TRIAL = {
    "study": "s", "number": 3, "state": "complete", "params": {"x": 1.5}, "value": "nan", "attempt": 1, "worker": "w",
    "reason": None, "explanation": {}, "attributes": {}, "created_at": "2026-01-01T00:00:00Z",
    "started_at": None, "finished_at": None,
}  # fmt: skip
SPEC = {
    "name": "s",
    "objective": {"trainer": "external"},
    "space": {"x": {"type": "categorical", "choices": [None, 1]}},
}
DECISION = {"decision": "prune", "reason": "worse", "ttl_seconds": 60}


def test_pages_are_fetched_one_after_another_as_they_are_wanted(client, script):
    script.answers = [
        httpx.Response(200, json={"items": [TRIAL], "next_cursor": "next"}),
        httpx.Response(200, json={"items": [{**TRIAL, "number": 4}], "next_cursor": None}),
    ]
    trials = client.list_trials("s", state="complete")
    assert next(trials).number == 3
    assert len(script.requests) == 1
    assert [trial.number for trial in trials] == [4]
    assert dict(script.requests[1].url.params) == {"state": "complete", "cursor": "next"}


def test_a_spec_value_is_sent_so_that_it_reads_back_equal(client, script):
    script.answers = [httpx.Response(200, json={"cells": 2})]
    spec = StudySpec.model_validate_json(json.dumps({**SPEC, "pruner": {"name": "median"}}))
    client.validate_study(spec)
    assert StudySpec.model_validate_json(script.requests[0].content) == spec


def test_yaml_text_is_sent_as_it_is(client, script):
    script.answers = [httpx.Response(422, json={"code": "invalid"})]
    with pytest.raises(Exception, match="mistakes"):
        client.submit_text("name: s # mine\n")
    assert script.requests[0].headers["content-type"] == "application/yaml"
    assert script.requests[0].content == b"name: s # mine\n"


def test_a_non_finite_metric_travels_as_a_word(client, script):
    script.answers = [httpx.Response(200, json=DECISION)]
    decision = client.report("lease", [Report(step=0, metrics={"loss": math.inf})])
    assert script.bodies() == [{"reports": [{"step": 0, "metrics": {"loss": "inf"}}]}]
    assert decision.decision == "prune"


def test_an_omitted_value_is_not_sent_and_a_diverged_one_is(client, script):
    script.answers = [httpx.Response(200, json=TRIAL), httpx.Response(200, json=TRIAL)]
    client.finish_trial("lease", Finish(state="complete"))
    trial = client.finish_trial("lease", Finish(state="complete", value=math.nan))
    assert [body.get("value") for body in script.bodies()] == [None, "nan"]
    assert math.isnan(trial.value)


def test_a_file_is_uploaded_whole_again_after_a_lost_connection(client, script, tmp_path):
    path = tmp_path / "checkpoint"
    path.write_bytes(b"x" * 200_000)
    answer = {"name": "checkpoint", "size": 200_000, "sha256": "", "step": 7, "attempt": 1, "created_at": "2026-01-01"}
    script.answers = [httpx.WriteError("cut"), httpx.Response(200, json=answer)]
    client.put_artifact("lease", "checkpoint", path, step=7)
    assert script.requests[1].content == path.read_bytes()
    assert script.requests[1].url.params["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_download_cut_in_the_middle_starts_anew(client, script):
    def cut(request):
        def pieces():
            yield b"rows of the first"
            raise httpx.ReadError("cut")

        return httpx.Response(200, content=pieces())

    script.answers = [cut, httpx.Response(200, content=b"rows")]
    sink = io.BytesIO()
    client.get_dataset("mine", sink)
    assert sink.getvalue() == b"rows"


def test_a_tables_media_type_is_taken_from_its_suffix(client, script, tmp_path):
    path = tmp_path / "houses.parquet"
    path.write_bytes(b"PAR1")
    answer = dict.fromkeys(
        ("target", "rows", "columns", "classes", "size", "sha256", "media_type", "owner", "created_at")
    )
    script.answers = [httpx.Response(200, json={**answer, "name": "houses", "task": "regression", "builtin": False})]
    client.put_dataset("houses", path, target="price", task="regression")
    assert script.requests[0].headers["content-type"] == "application/vnd.apache.parquet"


def test_added_trials_keep_their_values_of_none(client, script):
    script.answers = [httpx.Response(200, json={"numbers": [7, 8]})]
    assert client.add_trials("s", [NewTrial(params={"x": None}), {"params": {"x": 1}}]) == [7, 8]
    assert [trial["params"] for trial in script.bodies()[0]["trials"]] == [{"x": None}, {"x": 1}]


def test_a_lost_lease_is_an_error_of_its_own(client, script):
    script.answers = [httpx.Response(409, json={"code": "lease-lost", "detail": "gone"})]
    with pytest.raises(LeaseLost):
        client.renew_lease("lease")
