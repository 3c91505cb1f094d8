"""What the runs of a data set show, in sentences. Each is computed from the runs, and absent where they show nothing.

What is said of several runs holds for half or more of them, at each of the values that are named; the counts follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from fastmlp.checks.arrays import counted
from fastmlp.study.cases import Case
from fastmlp.study.outcomes import count, median_solved_at, mostly, mostly_oscillate, solved, still_falls
from fastmlp.study.runs import DIVERGED, GUESSING, SOLVED, Run
from fastmlp.study.words import best_of, hidden_layers, init_words, listed, numbers, of_runs, rates_words

Test = Callable[[Sequence[Run]], bool]
Tally = Callable[[Sequence[Run]], int]


def sentences(case: Case) -> list[str]:
    """All that the case's runs show."""
    linear_or_rates = (without_hidden_layers, too_small, right_rates, oscillation, divergence, collapse)
    shapes = (rates_of_depths, initialisations, deepest, widths)
    return [sentence for part in (*linear_or_rates, *shapes) for sentence in part(case)]


# ---------------------------------------------------------------------------------------------------------
# No hidden layer


def without_hidden_layers(case: Case) -> Iterator[str]:
    """Whether a linear network solved it, at any rate and from any weights."""
    runs = case.where(depth=0)
    if not runs:
        return
    found, every = solved(runs), len(runs)
    losses = [run.loss for run in runs if math.isfinite(run.loss)]
    lowest = f", and the lowest loss {min(losses):.3g}; guessing has {case.guess:.3g}" if losses else ""
    told = f" (the best accuracy at the end was {best_of(runs)}{lowest})" if best_of(runs) else ""
    if not found:
        yield f"A network without hidden layers did not solve {case.name} in any of its {counted(every, 'run')}{told}."
    else:
        yield f"A network without hidden layers solved {case.name} in {of_runs(found, every)}{told}."


# ---------------------------------------------------------------------------------------------------------
# Learning rates, at the plan's depth


def too_small(case: Case) -> Iterator[str]:
    """Rates below those that solved it, at which the loss was still falling at the end."""
    right = _rates(case, _solve)
    slow: list[float] = []
    for rate in case.plan.rates:
        runs = case.by_rate(rate)
        falling = bool(runs) and 2 * sum(still_falls(run) for run in runs) >= len(runs)
        if not falling or solved(runs) or mostly_oscillate(runs) or not right or rate >= min(right):
            break
        slow.append(rate)
    if slow:
        runs = [run for rate in slow for run in case.by_rate(rate)]
        falls = sum(still_falls(run) for run in runs)
        yield (
            f"{rates_words(slow, case.plan.rates)} {'were' if len(slow) > 1 else 'was'} too small for {case.name}: "
            f"{of_runs(0, len(runs))} solved it in {case.plan.epochs} steps, and in {falls} the loss was still falling."
        )


def right_rates(case: Case) -> Iterator[str]:
    """The rates that solved it, and the fastest of them."""
    plan, right = case.plan, _rates(case, _solve)
    tried = [run for rate in plan.rates for run in case.by_rate(rate)]
    if not tried:
        return
    if not right:
        best = max(tried, key=lambda run: (math.isfinite(run.accuracy), run.accuracy))
        told = (
            f"; the best accuracy at the end was {best_of(tried)}, at {best.learning_rate:g}" if best_of(tried) else ""
        )
        yield f"No learning rate solved {case.name} with {hidden_layers([plan.depth])} in {plan.epochs} steps{told}."
        return
    runs = [run for rate in right for run in case.by_rate(rate)]
    steps = {rate: found for rate in right if (found := median_solved_at(case.by_rate(rate))) is not None}
    soonest = ""
    if steps:
        rate = min(steps, key=lambda one: steps[one])
        fastest = f"fastest at {rate:g}, " if len(right) > 1 else ""
        soonest = f", {fastest}where half of the runs were there within {counted(steps[rate], 'step')}"
    yield (
        f"{rates_words(right, plan.rates)} solved {case.name} with {hidden_layers([plan.depth])} "
        f"({of_runs(solved(runs), len(runs))}){soonest}."
    )


def oscillation(case: Case) -> Iterator[str]:
    """From which rate on the loss oscillates."""
    yield from _from_which_rate(case, mostly_oscillate, _rising, "the loss oscillated", "oscillate")


def divergence(case: Case) -> Iterator[str]:
    """From which rate on training diverges."""
    rates = _rates(case, _diverge)
    same = _same_answer([run for rate in rates for run in case.by_rate(rate) if run.outcome == DIVERGED])
    yield from _from_which_rate(case, _diverge, _diverged, "training diverged", "diverge", same)


def _from_which_rate(case: Case, shows: Test, tally: Tally, what: str, verb: str, more: str = "") -> Iterator[str]:
    tried = {rate: runs for rate in case.plan.rates if (runs := case.by_rate(rate))}
    if not tried:
        return
    found = [rate for rate, runs in tried.items() if shows(runs)]
    where = f"{case.name} with {hidden_layers([case.plan.depth])}"
    if not found:
        most = max(tried, key=lambda rate: tally(tried[rate]))
        some = f"; the most were {tally(tried[most])} of {len(tried[most])}, at {most:g}" if tally(tried[most]) else ""
        yield f"No learning rate up to {max(tried):g} made half of its runs {verb} on {where}{some}."
        return
    counts = [of_runs(tally(tried[rate]), len(tried[rate])) for rate in found]
    if len(found) > 1:
        counts = [f"{counted_runs} at {rate:g}" for counted_runs, rate in zip(counts, found, strict=True)]
    to_the_top = found == list(tried)[-len(found) :]
    start = f"From learning rate {found[0]:g} on" if to_the_top else f"At {rates_words(found, list(tried)).lower()}"
    if found == [max(tried)] and len(tried) > 1:
        start = f"At the largest learning rate, {found[0]:g}"
    others = [rate for rate in tried if rate > found[0] and rate not in found]
    but = f", but not at {numbers(others, list(tried))}" if others else ""
    yield f"{start}{but}, {what} on {where} ({', '.join(counts)}){more}."


def collapse(case: Case) -> Iterator[str]:
    """Rates above the right ones that end at the loss of guessing."""
    right = _rates(case, _solve)
    lost = [rate for rate in _rates(case, lambda runs: mostly(runs, GUESSING)) if right and rate > max(right)]
    if lost:
        runs = [run for rate in lost for run in case.by_rate(rate)]
        same = _same_answer([run for run in runs if run.outcome == GUESSING])
        yield (
            f"{rates_words(lost, case.plan.rates)} {'were' if len(lost) > 1 else 'was'} too large for {case.name}: "
            f"{of_runs(count(runs, GUESSING), len(runs))} ended at the loss of guessing, {case.guess:.3g}{same}."
        )


def _same_answer(runs: Sequence[Run]) -> str:
    """What is said of networks that answer the same whatever the row; '' if there are none."""
    same = sum(run.constant for run in runs)
    if not same:
        return ""
    who = "they all give" if same == len(runs) > 1 else f"{same} of these networks {'gives' if same == 1 else 'give'}"
    return f", and {who} the same answer for every row"


def _diverge(runs: Sequence[Run]) -> bool:
    return mostly(runs, DIVERGED)


def _diverged(runs: Sequence[Run]) -> int:
    return count(runs, DIVERGED)


def _solve(runs: Sequence[Run]) -> bool:
    return mostly(runs, SOLVED)


def _rising(runs: Sequence[Run]) -> int:
    return sum(run.oscillates for run in runs)


def _rates(case: Case, test: Test) -> list[float]:
    return [rate for rate in case.plan.rates if test(case.by_rate(rate))]


# ---------------------------------------------------------------------------------------------------------
# Depths, initialisations, widths


def rates_of_depths(case: Case) -> Iterator[str]:
    """The largest rate that solved it, by depth."""
    plan = case.plan
    groups: dict[float | None, list[int]] = {}
    for depth in (depth for depth in plan.depths if depth):
        tried = {rate: runs for rate in plan.rates if (runs := case.by_rate(rate, depth))}
        if tried:
            right = [rate for rate, runs in tried.items() if _solve(runs)]
            groups.setdefault(max(right) if right else None, []).append(depth)
    known = [depth for of in groups.values() for depth in of]
    if len(known) < 2 or set(groups) == {None}:
        return
    told = [f"{rate:g} with {hidden_layers(of)}" for rate, of in groups.items() if rate is not None]
    none = f"; with {hidden_layers(groups[None])}, none did" if None in groups else ""
    yield f"The largest learning rate that solved {case.name} was {listed(told)}{none}."


def initialisations(case: Case) -> Iterator[str]:
    """What each initialisation came to, over depths."""
    plan = case.plan
    depths = [depth for depth in plan.depths if depth]
    for init in plan.inits:
        left = {depth: found for depth in depths if (found := case.by_init(init, depth))}
        if not left:
            continue
        told = []
        for outcome, words in (
            (SOLVED, f"solved {case.name}"),
            (GUESSING, f"ended at the loss of guessing, {case.guess:.3g}"),
            (DIVERGED, "diverged"),
        ):
            if which := [depth for depth in left if mostly(left[depth], outcome)]:
                some = [run for depth in which for run in left.pop(depth)]
                told.append(f"networks of {hidden_layers(which)} {words} ({of_runs(count(some, outcome), len(some))})")
        if left:
            some = [run for runs in left.values() for run in runs]
            best = f", the best accuracy {best_of(some)}" if best_of(some) else ""
            ended = f"ended in between ({of_runs(solved(some), len(some))} solved it{best})"
            told.append(f"networks of {hidden_layers(list(left))} {ended}")
        yield f"With {init_words(init)}, at learning rate {case.rate:g}, {'; '.join(told)}."


def deepest(case: Case) -> Iterator[str]:
    """Which initialisations the deepest networks need."""
    plan = case.plan
    depth = max(plan.depths)
    runs = {number: found for number, init in enumerate(plan.inits) if (found := case.by_init(init, depth))}
    if depth < 2 or len(runs) < 2:
        return

    def told(which: Sequence[int], last: str = "and") -> str:
        return listed([f"{init_words(plan.inits[k])} ({of_runs(solved(runs[k]), len(runs[k]))})" for k in which], last)

    good = [k for k in runs if _solve(runs[k])]
    bad = [k for k in runs if k not in good]
    start = f"Networks of {hidden_layers([depth])} solved {case.name}"
    if not good:
        yield f"{start} with no initialisation: {told(bad)}."
    elif not bad:
        yield f"{start} with every initialisation: {told(good)}."
    else:
        yield f"{start} with {told(good)}, but not with {told(bad, 'or')}."


def widths(case: Case) -> Iterator[str]:
    """From which width on it was solved."""
    plan = case.plan
    runs = {width: found for width in plan.widths if (found := case.by_width(width))}
    if len(runs) < 2 or not plan.depth:
        return
    first, *others = (f"{solved(found)} of {len(found)}{{}} with {width}" for width, found in runs.items())
    counts = ", ".join([first.format(" runs"), *(text.format("") for text in others)])
    good = [width for width, found in runs.items() if _solve(found)]
    where = f"{case.name} with {hidden_layers([plan.depth])} at learning rate {case.rate:g}: {counts}."
    if not good:
        yield f"No number of units a layer solved {where}"
    elif good != list(runs)[-len(good) :]:
        unit = "unit" if good == [1] else "units"
        yield f"Networks of {numbers(good, list(runs))} {unit} a layer, but not all larger ones, solved {where}"
    elif len(good) == len(runs):
        yield f"Networks of every width solved {where}"
    else:
        yield f"From {counted(good[0], 'unit')} a layer on, networks solved {where}"
