"""What a network's copies and pickles hold."""

from fastmlp import Model


def test_a_pickle_does_not_count_changes():
    """How often a network was changed tells nothing; files and pickles of equal networks are equal."""
    model = Model([2, 3, 2], seed=1)
    model.fit([[0, 1], [1, 0]], [0, 1], epochs=2)
    assert model._network.version > 0
    assert "version" not in model._network.__getstate__()
