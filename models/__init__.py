"""The Deep Learning Book's models, their data and their training loop; knows no server and no study.

`models.catalog` loads no torch, and neither does this module: learners are built by `models.families.build`.
"""

from typing import Any


def load(folder: Any) -> Any:  # Any: a path → models.trained.Trained, whose import loads torch
    """A trained model from the folder that it was downloaded into: `load("best").predict("new.csv")`."""
    from models.trained import load as load_trained

    return load_trained(folder)


__all__ = ["load"]
