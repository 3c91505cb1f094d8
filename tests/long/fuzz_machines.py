"""Models and estimators through many calls in any order, beside their twins.

    python tests/long/fuzz_machines.py --examples 300

Each example is a sequence of up to 30 calls of tests/machines.py. Prints how often each was made, and ends with 1 where
a twin differed; Hypothesis then prints the shortest sequence that it found.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from machines import COUNTS, Estimators, Models

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=300)
    arguments = parser.parse_args()
    many = settings(
        max_examples=arguments.examples, stateful_step_count=30, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    for machine in (Models, Estimators):
        run_state_machine_as_test(machine, settings=many)
    for what, count in sorted(COUNTS.items()):
        print(f"{count:8d} {what}")
    print("all alike")
