"""Losses and their gradients by PyTorch, for tests/reference/test_truth.py to compare with: writes tests/losses.json.

    pip install torch==2.13.0
    python tools/losses.py

Needs PyTorch alone. Each entry holds what goes in, the loss's sum over rows, and that sum's gradient by z.
"""

import json
from pathlib import Path

import torch
from torch.nn import functional

ROWS, OUTPUTS = 12, 4


def main():
    torch.manual_seed(1)
    z = (3 * torch.randn(ROWS, OUTPUTS, dtype=torch.float64)).requires_grad_()
    labels = torch.randint(OUTPUTS, (ROWS,))
    values = 3 * torch.randn(ROWS, OUTPUTS, dtype=torch.float64)
    shares = torch.rand(ROWS, OUTPUTS, dtype=torch.float64)
    probabilities = shares / shares.sum(dim=1, keepdim=True)
    counts = torch.poisson(torch.full((ROWS, OUTPUTS), 3.0, dtype=torch.float64))
    classes = torch.tensor([0.25, 1.0, 0.0, 3.0], dtype=torch.float64)
    rows = torch.tensor([0.0, 1.0, 2.5, 0.125] * (ROWS // 4), dtype=torch.float64)
    total = {"reduction": "sum"}
    cross_entropy = functional.cross_entropy
    sigmoids = functional.binary_cross_entropy_with_logits
    poisson = functional.poisson_nll_loss
    jobs = [  # function of reference/losses.py, its setting, y, weights of rows, PyTorch's loss
        ("softmax_cross_entropy", None, labels, None, cross_entropy(z, labels, **total)),
        ("softmax_cross_entropy", None, labels, classes[labels], cross_entropy(z, labels, classes, **total)),
        *(
            ("softmax_smooth_cross_entropy", e, labels, None, cross_entropy(z, labels, label_smoothing=e, **total))
            for e in (0.1, 0.5)
        ),
        *(
            (
                "softmax_soft_cross_entropy",
                e,
                probabilities,
                None,
                cross_entropy(z, probabilities, label_smoothing=e, **total),
            )
            for e in (0.0, 0.1)
        ),
        ("sigmoid_binary_cross_entropy", None, shares, None, sigmoids(z, shares, **total)),
        ("sigmoid_binary_cross_entropy", None, shares, rows, sigmoids(z, shares, rows[:, None], **total)),
        ("identity_absolute_error", None, values, None, functional.l1_loss(z, values, **total)),
        *(
            ("identity_huber", d, values, None, functional.huber_loss(z, values, delta=d, **total))
            for d in (1.0, 0.3, 2.0, 100.0)
        ),
        ("exponential_poisson", None, counts, None, poisson(z, counts, log_input=True, **total)),
    ]
    entries = []
    for function, setting, y, weights, loss in jobs:
        (gradient,) = torch.autograd.grad(loss, z)
        entries.append(
            {
                "function": function, "setting": setting, "y": y.tolist(),
                "weights": None if weights is None else weights.tolist(),
                "loss": loss.item(), "gradient": gradient.tolist(),
            }
        )  # fmt: skip
    lines = ",\n".join(map(json.dumps, entries))
    path = Path(__file__).parents[1] / "tests" / "losses.json"
    path.write_text(f'{{"torch": "{torch.__version__}", "z": {z.tolist()}, "losses": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
