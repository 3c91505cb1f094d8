"""Checks of bits for other projects' tests, as `numpy.testing` is for NumPy's values.

`assert_same_bits` compares two arrays, `check_pair` a fast function with the one that defines it, and `check_training`
trainings of your own network on your own data, by the kernels and by the reference. pytest finds the plugin,
`fastmlp.testing.plugin`, by itself.
"""

from fastmlp.testing.bits import assert_same_bits
from fastmlp.testing.pairs import check_pair
from fastmlp.testing.trainings import check_training

__all__ = ["assert_same_bits", "check_pair", "check_training"]
