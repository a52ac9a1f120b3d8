"""Ask and tell: the service suggests, this program computes. For notebooks, simulations, and machines without a worker.

TRIALBOOK_URL and TRIALBOOK_TOKEN say where. Start it several times to search side by side.
"""

from contextlib import suppress

from trialbook import Client
from trialbook.errors import NameTaken

STUDY = {
    "name": "valley",
    "objective": {"trainer": "external", "direction": "minimize"},
    "space": {
        "x": {"type": "float", "low": -2.0, "high": 2.0},
        "y": {"type": "float", "low": -1.0, "high": 3.0},
    },
    "sampler": {"name": "gp", "seed": 0},
    "budget": {"n_trials": 25},
}

if __name__ == "__main__":
    with Client() as client:
        with suppress(NameTaken):  # then another process, or this one before, has submitted it: join in
            client.create_study(STUDY)
        for trial in client.study("valley").ask():
            x, y = trial.params["x"], trial.params["y"]
            trial.finish((1 - x) ** 2 + 100 * (y - x * x) ** 2)
        print(client.get_study("valley").best)
