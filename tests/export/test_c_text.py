"""Numbers, texts and names as C reads them."""

import numpy as np
import pytest

from fastmlp.export import c_text


@pytest.mark.parametrize("value", [1.5, -0.0, 5e-324, 1e308, -1 / 3, 0.0])
def test_numbers_read_back(value):
    assert np.float64(float.fromhex(c_text.number(np.float64(value)))).tobytes() == np.float64(value).tobytes()
    single = c_text.number(np.float32(value) if abs(value) < 1e38 else np.float32(3e38))
    assert single.endswith("f")
    assert np.float32(float.fromhex(single[:-1])) == np.float32(value if abs(value) < 1e38 else 3e38)


def test_texts_and_comments():
    assert c_text.text('a"b\\c?\n') == '"a\\"b\\\\c\\?\\n"'
    assert c_text.text("ä1") == '"\\303\\2441"'
    assert c_text.comment("end */ of\nline \\ ä") == "end * / of line / ?"
    assert len(c_text.comment("x" * 500)) == 200


def test_names():
    assert c_text.identifier("wine_2", "name") == "wine_2"
    for wrong in ("", "2a", "a-b", "int", "_a", "a" * 42, "ä"):
        with pytest.raises(ValueError, match="name="):
            c_text.identifier(wrong, "name")


def test_lines_of_words_are_short():
    lines = c_text.words(["0x1.23456789abcdep-3"] * 50).splitlines()
    assert max(map(len, lines)) <= c_text.WIDTH
    assert sum(line.count(",") for line in lines) == 50
