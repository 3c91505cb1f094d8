"""Changes the package's Python in small ways, one at a time, and exits 1 unless the tests of the file notice each.

    python -m tools.mutants                        100 mutants of all modules, drawn with seed 0; an hour and a half
    python -m tools.mutants --seed 7 --count 20    others
    python -m tools.mutants --files data engine    of these modules alone
    python -m tools.mutants --list                 prints them, and runs nothing

A mutant is a copy of the repository with one change (see mutations.py) in fastmlp/*.py or fastmlp/estimators/*.py; the
kernels have faults of their own (tools/plants). It is killed where a test of its file fails (`tests_of`), or hangs.
Those that make no difference that anybody could see are in equivalent.txt, each with its reason.

Why not mutmut or cosmic-ray: both go through all mutants, here ten thousand of up to a minute each; neither draws some
by a seed, nor runs a file's own tests.
"""

import argparse
import difflib
import queue
import random
import re
import sys
import threading
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tools.copies import ROOT, copied, pytest
from tools.mutants.mutations import Mutation, is_one, mutations

PACKAGE = ROOT / "fastmlp"
EQUIVALENT = Path(__file__).parent / "equivalent.txt"
LONGEST, SLOWER = 60, 4  # seconds that a mutant's tests may take, or so many times what they take without
FROM_SOURCES = (
    "cache",
    "helper_inlining",
    "loader",
    "machine_code",
    "numba_pipeline",
    "numba_settings",
    "registry",
    "cpu",
)  # modules on whose text kernels' code depends
# The tests of a module, where they are not FOLDER/test_NAME*.py.
TESTS = {
    "__init__": "test_packaging fit/test_fit",
    "__main__": "cli/test_cli",
    "_moved": "test_moved",
    "_version": "test_packaging",
    "checks/arrays": "core/test_data checks/test_masked test_model_data",
    "checks/faults": "system/test_trusted_files storage/test_container",
    "checks/messages": "storage/test_hostile_headers cli/test_words storage/test_container",
    "checks/option_names": "cli/test_cli tables/test_training_of_tables",
    "checks/rounding": "fit/test_options",
    "checks/scalars": "core/test_data",
    "cli/__init__": "cli/test_cli",
    "cli/arguments": "cli/test_cli",
    "cli/audit": "verification/test_auditing",
    "cli/bisect": "verification/test_bisecting",
    "cli/demos": "cli/test_cli",
    "export/conversions": "export/test_foreign export/test_onnx_graph export/test_torch_modules",
    "fit/transcript": "fit/test_transcribing",
    "fit/transcribing": "fit/test_transcribing verification/test_auditing",
    "storage/transcript": "fit/test_transcribing verification/test_auditing",
    "tables/recipe": "tables/test_training_of_tables",
    **dict.fromkeys(
        (f"tabular/{name}" for name in ("__init__", "base", "classifier", "regressor", "rows", "temperature")),
        "tabular/test_*",
    ),
    "verification/estimator_replay": "estimators/test_transcripts_of_estimators",
    "verification/layers": "verification/test_bisecting",
    "verification/lockstep": "verification/test_bisecting",
    "verification/places": "verification/test_bisecting",
    "verification/replay": "verification/test_auditing",
    "verification/steps": "verification/test_bisecting",
    "cli/demo_figure": "cli/test_demo",
    "cli/predict": "cli/test_cli",
    "cli/train": "cli/test_cli kernels/test_training_options",
    "cli/train_parser": "cli/test_cli",
    "cross_validation/__init__": "cross_validation/test_cross_validation",
    "cross_validation/result": "cross_validation/test_cross_validation",
    "cross_validation/scoring": "cross_validation/test_cross_validation",
    "cross_validation/validate": "cross_validation/test_cross_validation",
    "ensemble/__init__": "ensemble/test_ensemble",
    "ensemble/ensemble": "ensemble/test_ensemble storage/test_ensemble_file",
    "ensemble/predictions": "ensemble/test_ensemble",
    "engine/choose": "engine/test_buffers engine/test_row_pieces kernels/test_train",
    "core/network": "test_model_init test_model_weights fit/test_resume test_storms",
    "engine/__init__": "test_moved",
    "engine/backends": "test_model_init",
    "engine/buffers": "engine/test_buffers engine/test_team test_predictor",
    "engine/doors": "kernels/test_doors engine/test_row_pieces",
    "engine/forward": "test_predictor engine/test_row_pieces",
    "engine/initial_weights": "test_model_init test_model_weights",
    "engine/lanes_buffers": "engine/test_model_lanes",
    "engine/lanes_plan_writer": "engine/test_model_lanes",
    "engine/numba_backend": "engine/test_buffers engine/test_team "
    "kernels/test_objective storage/test_checkpoints kernels/test_train",
    "engine/plan_writer": "engine/test_plan kernels/test_orders engine/test_team",
    "engine/reference_backend": "kernels/test_train reference/test_truth",
    "engine/row_scores": "engine/test_buffers engine/test_row_pieces estimators/test_sparse_rows",
    "engine/row_stream": "estimators/test_sparse_rows",
    "engine/sizes": "engine/test_buffers kernels/test_orders engine/test_row_pieces",
    "engine/team": "engine/test_team",
    "engine/thread_tuner": "engine/test_team engine/test_row_pieces",
    "engine/training_numbers": "kernels/test_orders kernels/test_objective fit/test_sample_weights",
    "errors": "fit/test_divergence",
    "fit/advice": "fit/test_divergence",
    "fit/checked_rows": "fit/test_together",
    "fit/jobs": "fit/test_together",
    "fit/lanes": "fit/test_together engine/test_model_lanes",
    "fit/fit": "fit/test_options fit/test_fit fit/test_monitor "
    "storage/test_checkpoints fit/test_divergence fit/test_resume",
    "fit/loop": "fit/test_loop fit/test_fit",
    "fit/options": "test_model_init fit/test_options",
    "fit/resume": "fit/test_resume fit/test_options storage/test_checkpoints",
    "fit/validation": "fit/test_monitor fit/test_options",
    "jit/compilation": "jit/test_cache jit/test_numba_pipeline",
    "jit/cache": "jit/test_cache system/test_trusted_files",
    "jit/helper_inlining": "jit/test_numba_pipeline",
    "jit/loader": "jit/test_cache system/test_background",
    "jit/machine_code": "jit/test_cache jit/test_numba_pipeline",
    "kernels/registry": "jit/test_cache kernels/test_registry",
    "kernels/plan": "engine/test_buffers engine/test_team",
    "losses": "test_losses storage/test_model_file",
    "model": "test_model_* fit/test_fit storage/test_model_file test_predictor",
    "spec": "test_model_init storage/test_model_file",
    "splits": "test_splits test_model_data fit/test_options",
    "storage/container": "storage/test_container storage/test_model_file",
    "storage/whole_files": "storage/test_container storage/test_whole_files",
    "study/__init__": "study/test_study",
    "study/cases": "study/test_study",
    "study/datasets": "study/test_study",
    "study/figure": "study/test_study",
    "study/outcomes": "study/test_sentences study/test_study",
    "study/runs": "study/test_study",
    "study/table": "study/test_study",
    "study/words": "study/test_sentences",
    "sweep/__init__": "sweep/test_sweep",
    "sweep/asks": "sweep/test_sweep sweep/test_points",
    "sweep/check": "sweep/test_sweep",
    "sweep/many": "sweep/test_sweep sweep/test_mixed",
    "sweep/memory": "sweep/test_results",
    "sweep/names": "sweep/test_points",
    "sweep/plots": "sweep/test_results",
    "sweep/progress": "sweep/test_sweep",
    "sweep/rows": "sweep/test_sweep",
    "sweep/run": "sweep/test_sweep sweep/test_mixed",
    "sweep/parts": "ensemble/test_ensemble cross_validation/test_cross_validation",
    "system/atomic": "test_storms",
    "system/busy": "test_storms",
    "system/cpu": "jit/test_cache",
    "system/thread_pool": "engine/test_team engine/test_row_pieces test_storms",
    "system/trusted_files": "system/test_trusted_files jit/test_cache",
    "tables/__init__": "test_moved",
    "fit/standardized": "test_model_standardize",
    "tables/labels": "tables/test_training_of_tables",
    "tables/loading": "tables/test_training_of_tables",
    "tables/prepare": "cli/test_cli",
    "tables/train_checks": "cli/test_cli",
    "tables/train_options": "cli/test_cli",
    "training": "fit/test_options fit/test_resume engine/test_team",
    "cli/verify": "verification/test_verification",
    "core/input_scale": "fit/test_rate_factors kernels/test_training_options",
    "ensemble/shown": "ensemble/test_ensemble",
    "export/__init__": "export/test_c_source",
    "export/c_arithmetic": "export/test_c_source export/test_c_selftest",
    "export/c_functions": "export/test_c_source",
    "export/c_header": "export/test_c_source",
    "export/c_parts": "export/test_tables_as_c",
    "export/files": "export/test_c_source cli/test_export_command",
    "export/onnx_columns": "export/test_tables_as_onnx",
    "export/onnx_nodes": "export/test_tables_as_onnx export/test_onnx_graph",
    "export/weights": "export/test_onnx_graph export/test_torch_modules",
    "tables/frames": "tables/test_columns_of_frames",
    "tables/gathered": "tables/test_delimited",
    "tables/headers": "tables/test_reader tables/test_delimited",
    "tables/libraries": "tables/test_formats",
    "testing/__init__": "testing/test_bits",
    "verification/__init__": "verification/test_verification",
    "verification/pairs": "verification/test_verification",
    "verification/trainings": "verification/test_verification",
    "verification/vectors": "verification/test_verification",
    "views/shown_figure": "views/test_figures",
}


class Mutant(NamedTuple):
    path: str  # from the repository's root
    mutation: Mutation

    @property
    def source(self):
        return (ROOT / self.path).read_bytes()

    def diff(self):
        before, after = (text.decode().splitlines() for text in (self.source, self.mutation.of(self.source)))
        lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
        return "\n".join([f"{self.path}: {self.mutation.what}", *lines])

    def key(self):
        """What a mutant is found by in equivalent.txt, whatever its line: the file, and the lines before and after."""
        lines = [line for line in self.diff().splitlines()[2:] if line[:1] in "-+"]
        return " ".join([Path(self.path).name, *(f"{line[0]} {line[1:].strip()}" for line in lines)])


def tests_of(path):
    """The files of tests that are to notice a change in a module. Raises ValueError where there are none."""
    module = Path(path).relative_to("fastmlp").with_suffix("")
    own = "estimators/test_*" if module.parent.name == "estimators" else str(module.parent / f"test_{module.name}*")
    found = []
    for pattern in TESTS.get(str(module), own).split():
        there = sorted(str(test.relative_to(ROOT)) for test in (ROOT / "tests").glob(f"{pattern}.py"))
        if not there:
            raise ValueError(f"{path} has no tests/{pattern}.py: name its tests in TESTS of tools/mutants")
        found += there
    return tuple(dict.fromkeys(found))


def modules():
    """The package's files of more than a line, but for kernels and the reference, which have faults of their own."""
    faulty = {*(PACKAGE / "kernels").glob("*.py"), *(PACKAGE / "reference").glob("*.py")}
    faulty -= {PACKAGE / "kernels" / "plan.py", PACKAGE / "kernels" / "registry.py"}
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if path not in faulty]
    return [str(path.relative_to(ROOT)) for path in paths if len(path.read_text().splitlines()) > 1]


@cache
def mutations_of(path):
    return list(mutations((ROOT / path).read_bytes()))


def drawn(seed, count, files=()):
    """`count` mutants of the modules, or of those named."""
    chosen = [path for path in modules() if not files or Path(path).stem in files]
    every = [Mutant(path, mutation) for path in chosen for mutation in mutations_of(path)]
    found, draws = [], random.Random(seed)
    draws.shuffle(every)
    for mutant in every:
        if len(found) == count:
            break
        if is_one(mutant.mutation, mutant.source):
            found.append(mutant)
    return found


def equivalent():
    """{key: reason} of mutants that make no difference."""
    lines = [line for line in EQUIVALENT.read_text().splitlines() if line.strip() and not line.startswith("#")]
    entries = [re.split(r"\s+::\s+", line) for line in lines]
    assert all(len(entry) == 2 for entry in entries), "equivalent.txt: write `file - before + after :: reason`"
    return dict(entries)


def judge(copy, mutant, limits):
    """-> "killed" or "SURVIVED", and the seconds."""
    tests = tests_of(mutant.path)
    fresh = Path(mutant.path).stem in FROM_SOURCES
    with copy.changed(mutant.path, mutant.mutation.of(mutant.source), fresh):
        result = copy.run(pytest(*tests), limits[tests])
    if result.status in (3, 4, 5):
        raise RuntimeError(f"pytest ended with {result.status}:\n{result.output[-2000:]}")
    return "killed" if result.status != 0 else "SURVIVED", result.seconds


def limits_of(copy, chosen):
    """{tests: how long they may take}. Raises RuntimeError where they fail as it is."""
    found = {}
    for tests in sorted({tests_of(mutant.path) for mutant in chosen}):
        result = copy.run(pytest(*tests), 1800)
        if result.status != 0:
            raise RuntimeError(f"these fail without a change: {' '.join(tests)}\n{result.output[-2000:]}")
        found[tests] = max(LONGEST, SLOWER * result.seconds)
        print(f"{result.seconds:6.1f} s  {' '.join(tests)}", flush=True)
    return found


def work(copy, waiting, limits, known, found, lock):
    """Takes mutants from a queue until it is empty."""
    while True:
        try:
            mutant = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            state, seconds = judge(copy, mutant, limits)
        except RuntimeError as error:
            state, seconds = f"ERROR {error}", 0
        if state == "SURVIVED" and mutant.key() in known:
            state = "equivalent"
        with lock:
            found.append(state.split()[0])
            words = mutant.diff() if state != "killed" else f"{mutant.path}: {mutant.mutation.what}"
            print(f"{state:10} {seconds:5.0f} s  {words}", flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", nargs="+", default=(), help="modules' names, as data engine")
    parser.add_argument("--list", action="store_true", help="print the mutants, and run nothing")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    chosen = drawn(options.seed, options.count, options.files)
    if options.list:
        print(*(mutant.diff() for mutant in chosen), sep="\n\n")
        return 0
    known, waiting, found, lock = equivalent(), queue.SimpleQueue(), [], threading.Lock()
    for mutant in chosen:
        waiting.put(mutant)
    with ExitStack() as stack:
        copies = [stack.enter_context(copied()) for _ in range(options.processes)]
        limits = limits_of(copies[0], chosen)
        threads = [threading.Thread(target=work, args=(copy, waiting, limits, known, found, lock)) for copy in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(", ".join(f"{found.count(state)} {state}" for state in ("killed", "equivalent", "SURVIVED", "ERROR")))
    return int(not chosen or found.count("killed") + found.count("equivalent") != len(chosen))


if __name__ == "__main__":
    sys.exit(main())
