"""What the members of an ensemble predict together: the mean, the spread, votes, entropies. Imports NumPy only.

outputs (M, N, J) are those of M members, of which the first is the first: sums go by the members' order. All is made in
float64, whatever the members' dtype. Only additions, products, quotients, roots and `elementary.log` are used, whose
bits are the same everywhere.
"""

import numpy as np

from fastmlp.reference.elementary import log


def mean(outputs):
    """(o_0 + o_1 + ... + o_(M-1)) / M, from left to right, one division. (M, N, J) -> (N, J) float64."""
    total = outputs[0].astype(np.float64)
    for output in outputs[1:]:
        total = total + output
    return total / np.float64(len(outputs))


def deviation(outputs):
    """The standard deviation over members: the root of the mean of (o_k - mean)^2. (M, N, J) -> (N, J) float64."""
    centre = mean(outputs)
    distances = [output - centre for output in outputs.astype(np.float64)]
    return np.sqrt(mean(np.array([distance * distance for distance in distances])))


def entropy(p):
    """-(sum over classes j of p_j log p_j), j ascending, in nats; terms are 0 where p_j is. (..., J) -> (...)."""
    p = p.astype(np.float64)
    terms = np.where(p > 0, p * log(np.where(p > 0, p, 1.0)), 0.0)
    total = terms[..., 0]
    for j in range(1, terms.shape[-1]):
        total = total + terms[..., j]
    return 0.0 - total


def mutual_information(p):
    """What the members' disagreement adds: entropy of the mean - mean of entropies, 0 or more. (M, ..., J) -> (...)."""
    gain = entropy(mean(p)) - mean(entropy(p))
    return np.where(gain > 0, gain, 0.0)


def most_votes(labels, classes):
    """The label (N,) that most members have, the smallest of several. labels (M, N) from 0 to classes - 1 -> int64."""
    votes = np.stack([(labels == label).sum(axis=0) for label in range(classes)])
    return votes.argmax(axis=0).astype(np.int64)
