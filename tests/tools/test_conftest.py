"""What is left out of large products of parameters still meets what it should."""

from itertools import combinations, product

from conftest import covering, spread


def test_every_pair_of_values_is_met():
    cases = [dict(zip("abc", values, strict=True)) for values in product(range(5), range(4), range(3))]
    kept = covering(cases)
    assert kept == sorted(set(kept))
    assert len(kept) <= 25
    pairs = [set(combinations(sorted(case.items()), 2)) for case in cases]
    assert set().union(*(pairs[number] for number in kept)) == set().union(*pairs)


def test_each_value_of_long_parameters_is_met():
    cases = [dict(zip("abc", values, strict=True)) for values in product(range(11), range(9), range(2))]
    kept = covering(cases)
    assert len(kept) < 60
    assert {thing for number in kept for thing in cases[number].items()} == {
        thing for case in cases for thing in case.items()
    }
    with_c = {(name, case[name], case["c"]) for case in map(cases.__getitem__, kept) for name in "ab"}
    assert len(with_c) == 2 * (11 + 9)


def test_values_that_occur_once_are_all_kept():
    assert covering([{"a": n, "b": -n} for n in range(40)]) == list(range(40))


def test_a_sample_is_as_large_as_was_asked():
    cases = [dict(zip("ab", values, strict=True)) for values in product(range(8), range(3))]
    kept = covering(cases, 6)
    assert len(kept) == 6
    assert len({cases[number]["a"] for number in kept}) == 6, "each case meets what others did not"
    for count in range(1, 30):
        for most in range(1, count + 1):
            found = spread(count, most)
            assert len(found) == most
            assert found <= set(range(count))
            assert 0 in found
            assert count - 1 in found or most == 1
