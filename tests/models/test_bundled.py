"""The digits read by ourselves are scikit-learn's."""

import numpy as np
from sklearn.datasets import load_digits

from models.datasets.bundled import digit_images


def test_the_digits_are_those_that_scikit_learn_loads() -> None:
    images, digits = digit_images()
    expected = load_digits()
    np.testing.assert_array_equal(images[:, 0].numpy(), expected.images)
    np.testing.assert_array_equal(digits.numpy(), expected.target)
