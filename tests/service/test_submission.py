"""What is asked of a study's trainer and data: every default study is accepted, what does not fit is named."""

import asyncio

import pytest

from tests.service.calls import spec
from trialbook.starting import starting_spec

RATE = {"learning_rate": {"type": "float", "low": 0.01, "high": 0.1}}


def answered(serve, *bodies):
    """The answers to each study, checked and not stored."""

    async def ask():
        async with serve() as client:
            return [(await client.post("/api/v1/studies/validate", json=body)) for body in bodies]

    return asyncio.run(ask())


def test_every_trainers_default_study_is_accepted_unchanged(serve):
    async def check():
        async with serve() as client:
            trainers = (await client.get("/api/v1/trainers")).json()["items"]
            assert len(trainers) == 16
            for trainer in trainers:
                body = starting_spec(trainer, None).model_dump(mode="json")
                answer = await client.post("/api/v1/studies", json=body)
                assert answer.status_code == 201, answer.text

    asyncio.run(check())


@pytest.mark.parametrize(
    ("objective", "pointer", "said"),
    [
        ({"trainer": "cnn", "data": "iris", "metric": "val_error"}, "/objective/data", "holds a table, which cnn"),
        ({"trainer": "mlp", "data": "python_docs", "metric": "val_loss"}, "/objective/data", "is for language"),
        ({"trainer": "rnn", "data": "adding", "metric": "val_error"}, "/objective/metric", "is not reported by rnn"),
    ],
)
def test_data_that_a_trainer_does_not_take_is_named(serve, objective, pointer, said):
    [answer] = answered(serve, spec(objective=objective, space=RATE))
    found = {one["pointer"]: one["message"] for one in answer.json()["errors"]}
    assert answer.status_code == 422
    assert said in found[pointer]


def test_costs_of_mistakes_are_a_square_matrix_among_the_fixed_parameters(serve):
    def costing(matrix):
        objective = {"trainer": "logistic", "data": "breast_cancer", "metric": "val_cost"}
        return spec(objective={**objective, "fixed": {"cost_matrix": matrix}}, space=RATE)

    good, ragged, negative = answered(serve, *map(costing, ([[0, 1], [20, 0]], [[0, 1], [20]], [[0, -1], [20, 0]])))
    assert good.json()["valid"] is True
    assert ragged.json()["errors"][0]["pointer"] == "/objective/fixed/cost_matrix"
    assert "cost_matrix[0][1] must be at least 0" in negative.json()["errors"][0]["message"]
