"""Models that standardise rows by themselves, as C: the scales are inside, and the bits are `predict`'s."""

import numpy as np
import pytest
from c_programs import COMPILERS, Program, compare
from models import said, targets

from fastmlp import Model
from fastmlp.export import c_text
from fastmlp.spec import DTYPES

pytestmark = pytest.mark.skipif("gcc" not in COMPILERS, reason="there is no gcc here: exported C is not compiled")
FMA = ("-std=gnu99", "-O2", "-march=native")
UNITS, CENTRE = np.array([1, 1e3, 1e-9, 0]), np.array([3, -4e6, 5e-9, 7])


def features(count=2000, seed=0):
    return CENTRE + UNITS * np.random.default_rng(seed).standard_normal((count, 4))


def trained(standardize, output, dtype="float64", **options):
    model = Model([4, 7, 3], hidden="silu", output=output, standardize=standardize, dtype=dtype, seed=3, **options)
    y = targets(output, 3, 200)
    y = 1 / 3 + y * [1e3, 33.3, 1 / 7] if standardize == "both" else y
    model.fit(features(200), np.abs(y) if output == "exponential" else y, epochs=2, threads=1, learning_rate=0.01)
    return model


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("standardize", "output"),
    [(True, "softmax"), (True, "sigmoid"), (True, "identity"), (True, "exponential"), ("both", "identity")],
)
def test_they_have_the_bits_of_predict(tmp_path, standardize, output, dtype):
    model = trained(standardize, output, dtype)
    source, header = model.to_c(tmp_path / "net.c")
    program = Program(source, model.spec, *FMA, given="double")
    assert program.selftest() == 0
    answers = {"outputs": model.predict_proba if model.spec.is_classifier else model.predict}
    if model.spec.is_classifier:
        answers["predict"] = model.predict
    compared, refused = compare(program, answers, features())
    assert (compared, refused) == (2000 * len(answers), 0)
    assert "It takes a row as it is, and standardises it" in header.read_text()
    assert f"net_outputs(const double x[NET_INPUTS], {'float' if dtype == 'float32' else 'double'} y" in (
        header.read_text()
    )


def test_an_input_scale_stands_behind_the_standardising(tmp_path):
    model = trained("both", "identity", input_scale=True)
    model.set_weights(model.weights, input_scale=[3.1, -0.7, 1 / 3, 2])
    program = Program(model.to_c(tmp_path / "net.c")[0], model.spec, *FMA, given="double")
    assert program.selftest() == 0
    assert compare(program, {"outputs": model.predict}, features())[0] == 2000


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_cannot_be_used_is_refused(tmp_path, dtype):
    model = trained("both", "identity", dtype)
    program = Program(model.to_c(tmp_path / "net.c")[0], model.spec, *FMA, given="double")
    x = features(8)
    x[1, 3], x[2, 0], x[3, 1], x[4, 0] = np.nan, np.inf, 1e300, -1e30
    states = program("outputs", x)[0]
    for row, state in zip(x, states, strict=True):
        if state == 0:
            model.predict(row[None])
        else:
            said(ValueError, model.predict, row[None])
    assert (states[[0, 5, 6, 7]] == 0).all()
    assert (states[[1, 2]] == -1).all()


def test_contracted_units_are_seen(tmp_path):
    """z * deviation + mean in one rounding."""
    model = trained("both", "identity")
    source, _ = model.to_c(tmp_path / "net.c")
    hidden = "product64((double)z[j], TARGET_DEVIATION[j])"
    text = source.read_text()
    assert hidden in text
    text = text.replace(hidden, "(double)z[j] * TARGET_DEVIATION[j]").replace("#define product64 product\n", "")
    source.write_text(text)
    program = Program(source, model.spec, *FMA, given="double")
    assert program.selftest() == 4
    with pytest.raises(AssertionError, match="rows differ"):
        compare(program, {"outputs": model.predict}, features())


def test_a_wrong_scale_is_seen(tmp_path):
    """One unit in the last place of a deviation."""
    model = trained(True, "softmax")
    source, _ = model.to_c(tmp_path / "net.c")
    deviation = model.scale[1][0]
    text, wrong = source.read_text(), np.nextafter(deviation, 1e9)
    assert text.count(c_text.number(deviation)) == 1
    source.write_text(text.replace(c_text.number(deviation), c_text.number(wrong)))
    program = Program(source, model.spec, *FMA, given="double")
    with pytest.raises(AssertionError, match="rows differ"):
        compare(program, {"outputs": model.predict_proba}, features())


def test_before_the_first_fit_there_is_no_scale(tmp_path):
    assert "call fit first" in said(ValueError, Model([2, 3], standardize=True).to_c, tmp_path)
    assert not list(tmp_path.iterdir())
