"""Mutants of files: bytes changed anywhere, and fields of a format changed so that the rest still fits them."""

import bz2
import gzip
import io
import json
import lzma
import re
import struct
import zipfile

import numpy as np

from fastmlp.storage import container

NUMBERS = [
    0,
    1,
    -1,
    2,
    7,
    255,
    2**16,
    2**31 - 1,
    2**31,
    2**32,
    2**53 + 1,
    2**63,
    2**64,
    10**400,
    0.5,
    -0.0,
    1e308,
    5e-324,
]
TEXTS = [
    "", "a", "y", "\0", "\n", "nan", "inf", "1e999", "float64", "f8", "f4,", "(2", "O", "__class__", "\ud800",
    "\x1b[2J", "0" * 5000, "9" * 5000, "..", "/dev/zero", "softmax", "PCG64", "none", "a" * 70000, '"', "\u9762",
    "V8", "M8[s]",
]  # fmt: skip
CELLS = [
    "", " ", "nan", "NaN", "inf", "-inf", "1e999", "-1e999", "1e-999", "9" * 5000, "1_000", "0x10", "True", "NA",
    "\0", '"', '""', '"1"', '"1\n2"', "'", "1,2", ",", ";", "\t", "\r", "\n", "\r\n", "\ufeff", "\u0663", "1.5.2",
    "--1", "+1", "1e", "12345678901234567890", "9007199254740993", "18446744073709551616", "1" * 140_000, "=1+1",
    "1;2", "2020-01-01", "#", "\x1a",
]  # fmt: skip


def deep(kind, depth):
    """Lists in lists, or dicts under "then", as text: json itself would not write so many."""
    return (
        "[" * depth + "]" * depth
        if kind == "list"
        else '{"name":"warm_up","epochs":1.0,"then":' * depth + "1" + "}" * depth
    )


def bytes_changed(random, content):
    """The content with one to four changes anywhere."""
    content = bytearray(content)
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        place = random.randrange(len(content) + 1) if content else 0
        if random.random() < 0.5:  # the beginning and the end say what the rest is
            place = min(len(content), random.choice([place % 64, max(0, len(content) - place % 64)]))
        length = random.choice([1, 2, 4, 8, 64, 1000])
        change = random.randrange(8)
        if change == 0 and content:
            content[place % len(content)] ^= 1 << random.randrange(8)
        elif change == 1 and content:
            content[place % len(content)] = random.choice([0, 1, 10, 34, 44, 127, 128, 255])
        elif change == 2:
            del content[place : place + length]
        elif change == 3:
            content[place:place] = random.randbytes(length)
        elif change == 4:
            content[place : place + length] = content[place : place + length] * 2
        elif change == 5:
            del content[place:]
        elif change == 6:
            width, value = random.choice([(2, 2**16), (4, 2**32), (8, 2**64)])
            number = random.choice([0, 1, value - 1, value // 2, random.randrange(value)])
            content[place : place + width] = number.to_bytes(width, "little")
        else:
            other = random.randrange(len(content) + 1)
            content[place : place + length] = content[other : other + length]
    return bytes(content)


# ---------------------------------------------------------------------------------------------------------
# Model files


def model_changed(random, content):
    """A model's file whose description or header says something else, mostly with lengths and checksum that fit."""
    length = int.from_bytes(content[:8], "little")
    description, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    way = random.randrange(4)
    if way == 0:  # the description itself
        text = with_changed_json(random, description)
        return len(text).to_bytes(8, "little") + text + data
    metadata = description.pop("__metadata__")
    tensors = {}
    for name, entry in description.items():
        start, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[start:end], container._DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
    header = metadata["header"]
    if way == 1:
        tensor_changed(random, tensors)
    else:
        header = with_changed_json(random, json.loads(header)).decode("ascii")
    parts = container._packed(tensors, {})
    description = json.loads(parts[1])
    description["__metadata__"] = {**metadata, "header": header, "sha256": container._digest(header, tensors)}
    text = json.dumps(description).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(bytes(part) for part in parts[2:])


def tensor_changed(random, tensors):
    name = random.choice(sorted(tensors))
    tensor = tensors[name]
    way = random.randrange(6)
    if way == 0 and tensor.size:
        tensor.flat[random.randrange(tensor.size)] = random.choice([np.nan, np.inf, 1e30, -1e30, 1e-40])
    elif way == 1:
        tensors[name] = tensor.astype(random.choice(["f2", "f4", "f8", "i8", "u1", "?"]))
    elif way == 2:
        tensors[name] = tensor.reshape(random.choice([(-1,), (1, -1), (*tensor.shape, 1), tensor.shape[::-1]]))
    elif way == 3:
        del tensors[name]
    elif way == 4:
        tensors[random.choice(["a", "layers.9.w", "layers.0.w", "optimizer.7", "z" * 5000])] = tensor
    else:
        tensors[name] = np.repeat(tensor, 2, axis=0) if tensor.ndim else tensor


def with_changed_json(random, value):
    """value as JSON, with one place in it changed, in ASCII."""
    places = list(all_places(value))
    marker = f"@{random.getrandbits(60)}@"
    for _ in range(random.choice([1, 1, 2])):
        owner, key = random.choice(places)
        way = random.randrange(8)
        try:
            if way == 0:
                del owner[key]
            elif way == 1:
                owner[key] = random.choice(NUMBERS)
            elif way == 2:
                owner[key] = random.choice(TEXTS)
            elif way == 3:
                owner[key] = random.choice([None, True, False, [], {}, [[]], {"name": "x"}, [1.5] * 3, ["a"] * 3])
            elif way == 4:
                owner[key] = marker
            elif way == 5 and isinstance(owner, dict):
                owner[random.choice(TEXTS)] = owner[key]
            elif way == 6:
                owner[key] = [owner[key]] * random.choice([1, 2, 100])
            else:
                other_owner, other = random.choice(places)
                owner[key] = json.loads(json.dumps(other_owner[other]))
        except (KeyError, IndexError):  # a change before took the place away
            continue
    instead = random.choice(
        [deep("list", 100_000), deep("dict", 900), deep("dict", 20_000), "NaN", "1e999", "9" * 5000, "-0"]
    )
    return json.dumps(value).replace(f'"{marker}"', instead).encode()


def all_places(value):
    """(dict or list, key) of everything inside."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from all_places(value[key])


# ---------------------------------------------------------------------------------------------------------
# .npz


def npz_changed(random, content):
    """An .npz with a changed member, or changed fields of its directory, whose other parts fit."""
    way = random.randrange(3)
    if way == 0:
        return directory_changed(random, bytearray(content))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member.filename: archive.read(member) for member in archive.infolist()}
    name = random.choice(sorted(members))
    members[name] = npy_changed(random, members[name])
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", random.choice(methods)) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return made.getvalue() if way == 1 else directory_changed(random, bytearray(made.getvalue()))


def directory_changed(random, content):
    """Fields of the entries before the members (PK 3 4), in the directory (PK 1 2), and of its end (PK 5 6)."""
    fields = {
        b"PK\x03\x04": [(4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)],
        b"PK\x01\x02": [(6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4)],
        b"PK\x05\x06": [(4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)],
    }
    entries = [(found.start(), mark) for mark in fields for found in re.finditer(re.escape(mark), bytes(content))]
    for _ in range(random.choice([1, 1, 2])):
        start, mark = random.choice(entries)
        offset, width = random.choice(fields[mark])
        largest = 2 ** (8 * width) - 1
        value = random.choice([0, 1, 2, 8, 9, 12, 14, 93, 99, largest, largest // 2, random.randrange(largest)])
        content[start + offset : start + offset + width] = value.to_bytes(width, "little")
    return bytes(content)


SHAPES = [
    "()", "(0,)", "(0, 3)", "(30,)", "(29, 3)", "(31, 3)", "(30, 3, 1)", "(-30, 3)", "(3, -30)", "(True, 3)",
    "(30.0, 3)", "(4611686018427387904, 4)", "(99999999999, 3)", "(9223372036854775808,)", "(1, 1000000000000)",
    "'a'", "[30, 3]", "(30, 3", "(" * 3000, "(30, 3) if 1 else 2", "(__import__('os'),)", "(10**9, 3)",
    "(1" + "0" * 5000 + ",)", "(90, )", "(1,) * 90",
]  # fmt: skip
DESCRIPTIONS = [
    "'<f8'", "'>f8'", "'<f4'", "'<f2'", "'|O'", "'|V8'", "'<U8'", "'|S8'", "'<M8[s]'", "'<c16'", "'f4,'", "'(2'",
    "'(2,2)f4'", "'<i8'", "'>u8'", "'|b1'", "'<f16'", "[('a', '<f8')]", "[('a', '|O')]", "('<f8', (2,))", "None", "8",
    "''", "'\\x'", "{}", "'<f9'", "'f8, f8'", "'O' * 5", "'<m8'", "'<U99999999999'",
]  # fmt: skip


def npy_changed(random, content):
    """An array's file whose header announces something else, in so many bytes as it says."""
    if random.random() < 0.2:
        return bytes_changed(random, content)
    length = int.from_bytes(content[8:10], "little")
    text, data = content[10 : 10 + length].decode("latin-1"), content[10 + length :]
    if random.random() < 0.6:
        text = re.sub(r"'shape': \([^)]*\)", lambda _: f"'shape': {random.choice(SHAPES)}", text)
    if random.random() < 0.4:
        text = re.sub(r"'descr': '[^']*'", lambda _: f"'descr': {random.choice(DESCRIPTIONS)}", text)
    if random.random() < 0.2:
        text = text.replace("False", random.choice(["True", "0", "None", "'x'"]))
    if random.random() < 0.1:
        text = random.choice(["", "{", "{}", "[]", "1", text * 3, text.replace("'", '"'), "\0" + text, "{'descr'"])
    text = text.rstrip() + " " * (-(len(text.rstrip()) + 11) % 64) + "\n"
    version = random.choice([1, 1, 1, 1, 2, 3, 0, 255])
    size = struct.pack("<H" if version == 1 else "<I", len(text) & (0xFFFF if version == 1 else 0xFFFFFFFF))
    if random.random() < 0.1:
        data = random.choice([b"", data[:-1], data + b"\0", data * 2, b"\0" * 100_000])
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin-1", "replace") + data


# ---------------------------------------------------------------------------------------------------------
# CSV


def packed_changed(random, content):
    """A CSV in gzip with other cells; or, of another kind of file, some bytes."""
    if not content.startswith(b"\x1f\x8b"):
        return bytes_changed(random, content)
    inner = csv_changed(random, gzip.decompress(content))
    pack = random.choice([gzip.compress, bz2.compress, lzma.compress])
    return pack(inner)


def spelled_changed(random, content):
    """A CSV in UTF-16 with semicolons and decimal commas, with other cells."""
    plain = content.decode("utf-16").replace(",", ".").replace(";", ",").encode()
    text = csv_changed(random, plain).decode("utf-8", "replace")
    return text.replace(",", ";").replace(".", ",").encode(random.choice(["utf-16", "utf-16-le", "utf-8"]), "replace")


def csv_changed(random, content):
    """A CSV with other cells, lines, separators, line ends or another encoding."""
    lines = content.decode().split("\n")
    for _ in range(random.choice([1, 1, 2, 5])):
        row = random.choice([0, random.randrange(len(lines))])
        cells = lines[row].split(",")
        way = random.randrange(8)
        if way <= 2:
            cells[random.randrange(len(cells))] = random.choice(CELLS)
            lines[row] = ",".join(cells)
        elif way == 3:
            lines.insert(row, random.choice(["", " ", ",", ",,,", "# note", lines[row], "1,2,3,4", "\x1a", '"']))
        elif way == 4:
            column, cell = random.randrange(len(cells)), random.choice(CELLS)
            lines[1:] = [
                ",".join([*r[:column], cell, *r[column + 1 :]]) for r in (line.split(",") for line in lines[1:])
            ]
        elif way == 5:
            del lines[row:]
            lines = lines or [""]
        elif way == 6:
            lines[row] = lines[row].replace(",", random.choice([";", "\t", " ", ",,", ""]))
        else:
            lines[row] = random.choice([lines[row] * 50, lines[row][: len(lines[row]) // 2], f'"{lines[row]}"'])
    text = random.choice(["\n", "\n", "\n", "\r\n", "\r", "\n\n", ""]).join(lines)
    return text.encode(
        random.choice(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp037"]), "replace"
    )
