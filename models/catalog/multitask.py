"""Multi-task learning: a shared trunk, one head for each task (section 7.7)."""

from models.catalog.descent import DESCENT, FLAT
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import LOSS, MULTITASK
from models.catalog.mlp import MLP

_MLP = {name: MLP.parameters[name] for name in ("activation", "slope", "init", "dropout")}

MULTITASK_NET = Trainer(
    name="multitask",
    title="Multi-task perceptron",
    chapter="7.7",
    forms=FLAT,
    tasks=("multitask",),
    parameters={
        **DESCENT,
        **_MLP,
        "hidden_layers": Parameter("int", 2, "Hidden layers that all tasks share", low=0, high=100),
        "width": Parameter("int", 128, "Hidden units in each shared layer", low=1, high=65_536),
        "head_layers": Parameter("int", 0, "Hidden layers of each task's own", low=0, high=100),
        "head_width": Parameter("int", 32, "Hidden units in each layer of a task's own", low=1, high=65_536),
        "task_weight": Parameter("float", 1.0, "Weight of each task's loss but the first's, which is 1", low=0.0),
        "only_head": Parameter("int", 0, "Learn this task alone, counted from 1; 0: all together", low=0, high=1000),
    },
    metrics=(*LOSS, *MULTITASK),
    default_spec={
        "objective": {
            "trainer": "multitask",
            "data": "digits_parity",
            "metric": "val_loss",
            "direction": "minimize",
            "fixed": {"epochs": 40, "batch_size": 32},
        },
        "space": {
            "learning_rate": {"type": "float", "low": 1e-3, "high": 0.3, "log": True},
            "hidden_layers": {"type": "int", "low": 1, "high": 3},
            "width": {"type": "int", "low": 32, "high": 256, "log": True},
            "task_weight": {"type": "float", "low": 0.1, "high": 5.0, "log": True},
            "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        },
        "early_stopping": {"patience": 8, "min_delta": 0.0},
    },
)
