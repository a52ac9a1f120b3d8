"""Spaces that samplers must cope with, by name."""

import math

from trialbook.space import Space


def real(low=0.0, high=1.0, **more):
    return {"type": "float", "low": low, "high": high, **more}


def whole(low, high, **more):
    return {"type": "int", "low": low, "high": high, **more}


def choice(*choices, **more):
    return {"type": "categorical", "choices": list(choices), **more}


MIXED = {
    "rate": real(1e-5, 1.0, log=True),
    "optimizer": choice("sgd", "adam"),
    "momentum": real(0.0, 0.99, when={"optimizer": ["sgd"]}),
    "layers": whole(1, 6),
    "width": whole(8, 512, log=True),
    "dropout": real(0.0, 0.5, step=0.1),
    "flag": choice(True, 1, None, "1"),
    "units": whole(2, 3, step=5, when={"layers": [2, 3], "flag": [True]}),
}

SPACES = {
    name: Space.model_validate(parameters)
    for name, parameters in {
        "mixed": MIXED,
        "one": {"x": real()},
        "fixed": {"x": real(0.25, 0.25), "n": whole(3, 3), "c": choice("only"), "s": real(1, 1, step=1)},
        "partly fixed": {"x": real(0.25, 0.25), "y": real(), "log": whole(4, 4, log=True), "r": real(2, 2, log=True)},
        "choices": {"a": choice(*range(40)), "b": choice("x", "y")},
        "fifty": {f"x{i}": (real(), whole(0, 9), choice("a", "b", "c"))[i % 3] for i in range(50)},
        "wide": {"n": whole(-(2**53), 2**53), "x": real(-1e300, 1e300), "tiny": real(1e-300, 1e300, log=True)},
    }.items()
}
SMALL = Space.model_validate({"a": choice("x", "y"), "b": whole(1, 3), "c": whole(0, 1, when={"a": ["y"]})})  # 9 points


def same(point, other) -> bool:
    """Whether two points agree: numbers to nine digits, all else exactly and in type."""
    return point.keys() == other.keys() and all(_same(point[name], other[name]) for name in point)


def _same(value, other) -> bool:
    exact = type(value) is type(other) and value == other
    return exact or (isinstance(value, float) and math.isclose(value, other, rel_tol=1e-9, abs_tol=1e-300))
