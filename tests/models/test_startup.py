"""What a training process loads before its first epoch: each of these packages costs it seconds."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from models.datasets import load, split
from models.families import build

for optimizer in ("sgd", "adam"):
    list(build("mlp", {"epochs": 1, "optimizer": optimizer}).fit(split(load("digits"))))
print([name for name in ("torch._dynamo", "sympy", "sklearn", "scipy", "pandas", "matplotlib") if name in sys.modules])
"""


@pytest.mark.slow  # a process of its own
def test_training_a_net_loads_neither_torchs_compiler_nor_scikit_learn() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
