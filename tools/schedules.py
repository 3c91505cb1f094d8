"""Learning rates by PyTorch's schedulers, for tests/schedules.json. Needs torch, and nothing of fastmlp.

    python tools/schedules.py            writes tests/schedules.json
    python tools/schedules.py --check    exits 1 unless the file holds the same numbers

Each case has a schedule in the words of `fastmlp.schedules.describe`, and what PyTorch does in its place. torch 2.13.0
made the stored figures.
"""

import argparse
import json
import math
import random
import sys
import warnings
from pathlib import Path

STORED = Path(__file__).parents[1] / "tests" / "schedules.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with tests/schedules.json, exit 1 if it differs")
    made = "[\n" + ",\n".join(map(json.dumps, cases())) + "\n]\n"
    if parser.parse_args().check:
        same = STORED.read_text() == made
        print("schedules.json is up to date" if same else "schedules.json differs")
        return 0 if same else 1
    STORED.write_text(made)
    return 0


def cases():
    """[{"torch": text, "schedule": {...}, "t": times, "rates": rates}, ...]; plateaus have "values" in place of "t"."""
    from torch.optim import lr_scheduler as torch

    found = []

    def by_epoch(text, schedule, make, epochs, closed=False):
        found.append(case(text, schedule, list(range(epochs + 1)), chain(schedule, make, epochs, closed)))

    by_epoch(
        "StepLR(step_size=7, gamma=0.3)",
        {"name": "step", "learning_rate": 0.1, "every": 7, "factor": 0.3},
        lambda o: torch.StepLR(o, step_size=7, gamma=0.3),
        40,
    )
    by_epoch(
        "ExponentialLR(gamma=0.97)",
        {"name": "exponential", "learning_rate": 0.05, "factor": 0.97},
        lambda o: torch.ExponentialLR(o, gamma=0.97),
        200,
    )
    for floor in (0.0, 0.002):
        by_epoch(
            f"CosineAnnealingLR(T_max=50, eta_min={floor})",
            {"name": "cosine", "learning_rate": 0.3, "epochs": 50.0, "floor": floor},
            lambda o, floor=floor: torch.CosineAnnealingLR(o, T_max=50, eta_min=floor),
            50,
            closed=True,
        )
    by_epoch(
        "SequentialLR([LinearLR(start_factor=0.1, total_iters=5), ConstantLR(factor=1)], milestones=[5])",
        {"name": "warm_up", "epochs": 5.0, "then": {"name": "constant", "learning_rate": 0.2}, "start": 0.1},
        lambda o: torch.SequentialLR(
            o,
            [torch.LinearLR(o, start_factor=0.1, total_iters=5), torch.ConstantLR(o, factor=1.0, total_iters=1)],
            milestones=[5],
        ),
        12,
    )
    by_epoch(
        "SequentialLR([LinearLR(start_factor=0.25, total_iters=8), ExponentialLR(gamma=0.9)], milestones=[8])",
        {
            "name": "warm_up",
            "epochs": 8.0,
            "then": {"name": "exponential", "learning_rate": 0.2, "factor": 0.9},
            "start": 0.25,
        },
        lambda o: torch.SequentialLR(
            o,
            [torch.LinearLR(o, start_factor=0.25, total_iters=8), torch.ExponentialLR(o, gamma=0.9)],
            milestones=[8],
        ),
        40,
    )
    for batches, total, share, start, end in ((1, 101, 0.3, 25.0, 1e4), (8, 160, 0.25, 10.0, 100.0)):
        schedule = {
            "name": "one_cycle",
            "peak": 0.4,
            "epochs": (total - 1) / batches,
            "warm_up": (share * total - 1) / (total - 1),
            "start_factor": 1 / start,
            "end_factor": 1 / end,
        }

        def one_cycle(o, total=total, share=share, start=start, end=end):
            return torch.OneCycleLR(
                o, 0.4, total, pct_start=share, div_factor=start, final_div_factor=end, cycle_momentum=False
            )

        text = f"OneCycleLR(0.4, {total}, pct_start={share}, div_factor={start}, final_div_factor={end})"
        times = [step / batches for step in range(total)]
        found.append(case(text, schedule, times, chain(schedule, one_cycle, total - 1)))
    for name, more, function in (
        (
            "flat_cosine",
            {"flat": 0.5, "floor": 0.0},
            lambda f: 1.0 if f < 0.5 else (1 + math.cos(math.pi * (2 * f - 1))) / 2,
        ),
        ("cosine_log", {"cycles": 4}, lambda f: (1 - math.cos(2 * math.pi * math.log2(1 + 15 * f))) / 2),
    ):
        schedule = {"name": name, "learning_rate": 0.3, "epochs": 64.0, **more}
        rates = chain(schedule, lambda o, function=function: torch.LambdaLR(o, lambda t: function(min(t / 64, 1))), 80)
        found.append(case(f"LambdaLR, {name} of 64 epochs", schedule, list(range(81)), rates))
    for mode, patience, factor, floor in (
        ("min", 2, 0.1, 0.0),
        ("max", 3, 0.5, 0.001),
        ("min", 0, 0.7, 0.01),
    ):
        schedule = {
            "name": "reduce_on_plateau",
            "learning_rate": 0.1,
            "factor": factor,
            "patience": patience,
            "min_delta": 0.01,
            "floor": floor,
            "metric": "accuracy" if mode == "max" else "loss",
        }
        draw = random.Random(patience)
        falls = [0.2 + 0.8 * 0.9**epoch + 0.02 * draw.random() for epoch in range(60)]
        values = falls if mode == "min" else [1 - value / 2 for value in falls]
        optimizer = sgd(0.1)
        plateau = torch.ReduceLROnPlateau(
            optimizer, mode, factor, patience, threshold=0.01, threshold_mode="rel", min_lr=floor, eps=0
        )
        rates = []
        for value in values:
            plateau.step(value)
            rates.append(optimizer.param_groups[0]["lr"])
        text = f"ReduceLROnPlateau({mode!r}, {factor}, {patience}, threshold=0.01, min_lr={floor}, eps=0)"
        found.append({"torch": text, "schedule": schedule, "values": values, "rates": rates})
    return found


def case(text, schedule, times, rates):
    assert len(times) == len(rates)
    return {"torch": text, "schedule": schedule, "t": times, "rates": rates}


def chain(schedule, make, steps, closed=False):
    """PyTorch's rates at 0, 1, ..., steps; `closed`, by the formula in place of one step from the last."""
    then = schedule.get("then", schedule)
    optimizer = sgd(then.get("learning_rate", then.get("peak")))
    scheduler = make(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SequentialLR warns of its own use of `epoch`
            scheduler.step()
        rates.append(float(scheduler._get_closed_form_lr()[0] if closed else optimizer.param_groups[0]["lr"]))
    return rates


def sgd(learning_rate):
    import torch

    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=learning_rate)


if __name__ == "__main__":
    sys.exit(main())
