"""Models of tables as C: rows as they are in the table, its classes and its units."""

import numpy as np
import pytest
from c_programs import COMPILERS, Program, compare, compiled
from models import said

from fastmlp import Model, TableModel
from fastmlp.export import c_parts
from fastmlp.spec import DTYPES
from fastmlp.tables.reader import Scale

pytestmark = pytest.mark.skipif("gcc" not in COMPILERS, reason="there is no gcc here: exported C is not compiled")
FMA = ("-std=gnu99", "-O2", "-march=native")
NAMES = ("width", "a \\*/ b ??/", "Größe", "constant")


def features():
    """A scale of columns of other units; the last is constant."""
    return Scale(np.array([3.1, -2e6, 7e-9, 4.0]), np.array([0.7, 3e5, 2e-9, 0.0]))


def rows(count=3000, seed=0):
    x = features().mean + np.random.default_rng(seed).standard_normal((count, 4)) * np.array([1.0, 4e5, 3e-9, 2.0])
    x[:3] = [[0.0] * 4, [-0.0, 5e-324, 1e300, 1e308], [1e-310] * 4]
    return x


def classes(labels, dtype="float64"):
    model = Model([4, 7, len(labels)], hidden="tanh", seed=3, dtype=dtype)
    return TableModel(model, NAMES, "kind", np.array(labels), features())


def quantities(dtype="float64", scaled=True, output="identity"):
    model = Model([4, 7, 2], hidden="silu", output=output, seed=3, dtype=dtype)
    scale = Scale(np.array([1e3, 1 / 3]), np.array([33.3, 1 / 7])) if scaled else None
    return TableModel(model, NAMES, "price", None, features(), scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labels", [[1.0, 2.0, 30.5], [-5, 2**60 + 1]])
def test_classes(tmp_path, dtype, labels):
    table = classes(labels, dtype)
    source, header = table.to_c(tmp_path / "net.c")
    program = Program(source, table.model.spec, *FMA, given="double")
    assert program.selftest() == 0

    def place(x):
        return np.searchsorted(table.classes, table.predict(x))

    compared, refused = compare(program, {"outputs": table.predict_proba, "predict": place}, rows())
    assert compared >= 5990
    assert refused <= 10
    text = source.read_text()
    assert '"2",' in text or f'"{2**60 + 1}",' in text
    kind = "double" if labels[0] == 1.0 else "int64_t"
    assert f"extern const {kind} net_classes" in header.read_text()
    assert "   1: a / * / b ? ?/" in header.read_text()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("scaled", "output"), [(True, "identity"), (False, "identity"), (True, "exponential")])
def test_quantities(tmp_path, dtype, scaled, output):
    table = quantities(dtype, scaled, output)
    source, _ = table.to_c(tmp_path / "net.c")
    program = Program(source, table.model.spec, *FMA, given="double", made="double")
    assert program.selftest() == 0
    compared, _ = compare(program, {"outputs": table.predict}, rows())
    assert compared > 2990


def test_a_contracted_unit_is_seen(tmp_path):
    """z * deviation + mean in one rounding, which is what gcc makes of it unless the product is hidden."""
    table = quantities()
    source, _ = table.to_c(tmp_path / "net.c")
    text = source.read_text()
    hidden = "product64((double)z[j], TARGET_DEVIATION[j])"
    assert hidden in text
    source.write_text(
        text.replace(hidden, "(double)z[j] * TARGET_DEVIATION[j]").replace("#define product64 product\n", "")
    )
    program = Program(source, table.model.spec, *FMA, given="double", made="double")
    assert program.selftest() == 4
    with pytest.raises(AssertionError, match="rows differ"):
        compare(program, {"outputs": table.predict}, rows())


def test_what_cannot_be_used_is_refused(tmp_path):
    table = quantities("float32")
    source, _ = table.to_c(tmp_path / "net.c")
    program = Program(source, table.model.spec, given="double", made="double")
    x = rows(6)
    x[1, 3], x[2, 0], x[3, 1] = np.nan, np.inf, 1e300  # a constant column, too; 1e300 / 3e5 is infinite in float32
    assert program("outputs", x)[0].tolist() == [0, -1, -1, -1, 0, 0]
    for row in x[1:4]:
        said(ValueError, table.predict, row[None])


def test_quantities_of_a_sigmoid_are_refused(tmp_path):
    model = Model([4, 2], output="sigmoid")
    table = TableModel(model, NAMES, "price", None, features())
    assert 'output="sigmoid"' in said(ValueError, table.to_c, tmp_path)


def test_a_table_without_usable_examples_has_no_fourth_part(tmp_path):
    scale = Scale(np.array([1.7e308]), np.array([1.7e308]))
    huge = TableModel(Model([4, 1], output="identity", init=2.0), NAMES, "price", None, features(), scale)
    source, _ = huge.to_c(tmp_path / "net.c")
    assert "EXAMPLES" not in source.read_text()
    compiled(["gcc", "-std=c99", "-Wall", "-Werror", "-c", str(source), "-o", str(tmp_path / "net.o")])


def test_parts_need_no_table(tmp_path):
    """Another preparation of rows: a category's code chooses between two columns."""
    from fastmlp.export import c_source

    model = Model([2, 5, 1], hidden="relu", output="identity", seed=1)
    prepare = c_parts.FINITE_ROW + (
        "static int prepare(const double *x, real *a)\n{\n    if (!finite_row(x, 2)) {\n        return 0;\n    }\n"
        "    a[0] = x[0] == 3;\n    a[1] = x[1];\n    return 1;\n}\n"
    )
    x = np.array([[3, 0.5], [4, 0.5]])
    inputs = np.array([[1, 0.5], [0, 0.5]])
    parts = c_parts.Parts(prepare, None, ("code", "size"), None, x, model.predict(inputs), 0, "A code and a size.")
    source, _ = c_source.write(tmp_path / "net.c", model.spec, model.snapshot().parameters, model.digest(), parts=parts)
    assert Program(source, model.spec, given="double").selftest() == 0


def test_a_network_with_an_input_scale(tmp_path):
    model = Model([4, 7, 2], hidden="mish", output="identity", seed=3, input_scale=True)
    model.set_weights(model.weights, input_scale=[3.1, -0.7, 1 / 3, 2])
    table = TableModel(model, NAMES, "price", None, features(), None)
    program = Program(table.to_c(tmp_path / "net.c")[0], model.spec, *FMA, given="double")
    assert program.selftest() == 0
    compare(program, {"outputs": table.predict}, rows(300))


def test_a_network_that_standardises_by_itself_is_refused(tmp_path):
    """Its own scale would be missing in C."""
    model = Model([4, 5, 2], seed=1, standardize=True)
    model.fit(np.random.default_rng(3).normal(size=(50, 4)), np.arange(50) % 2, epochs=1)
    table = TableModel(model, NAMES, "label", np.array([0.0, 1.0]), features())
    assert "the network standardises rows once more" in said(ValueError, table.to_c, tmp_path)
