"""What is measured of predictions, by task; each metric's direction stands in the catalogue."""

import torch
from torch import Tensor


def measure_classes(predicted: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Class indices (N,) predicted and true → error and accuracy, float64 scalars. -1 predicts nothing: it is wrong."""
    right = predicted == y
    return {"error": right.logical_not().double().mean(), "accuracy": right.double().mean()}


def measure_numbers(predicted: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Numbers (N,) predicted and true, in one unit → mse, mae and r2, float64 scalars.

    r2 is the share of the variance explained; where the target does not vary it is 1 for a perfect fit, else 0.
    """
    y = y.double()
    residual = predicted.double() - y
    mse = residual.square().mean()
    variance = (y - y.mean()).square().mean()
    r2 = torch.where(variance > 0, 1.0 - mse / variance, (mse == 0).double())
    return {"mse": mse, "mae": residual.abs().mean(), "r2": r2}
