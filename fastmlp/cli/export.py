"""`fastmlp export`: a trained model for other programs: as C, with the same bits, and as ONNX."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from fastmlp.checks.messages import lacks
from fastmlp.cli.arguments import check_place, help_shape, naming_options


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to the parser's subcommands."""
    export = commands.add_parser(
        "export",
        help="write a trained model as C or ONNX",
        description=(
            "Writes a model of `fastmlp train -o` or Model.save for programs without Python. As C: one source and one "
            "header in C99, which need no library and give the same bits as `fastmlp predict`. As ONNX: one file for "
            "ONNX Runtime and others, which agree to rounding."
        ),
        formatter_class=help_shape,
    )
    export.set_defaults(run=run)
    export.add_argument("model", type=Path, metavar="MODEL", help="what `fastmlp train -o` or Model.save wrote")
    export.add_argument(
        "--c",
        type=Path,
        metavar="PLACE",
        help="the source, ending in .c, with its header beside it; or a folder, for two files named after MODEL",
    )
    export.add_argument("--name", metavar="NAME", help="what names in C begin with (default: the source's name)")
    export.add_argument(
        "--onnx",
        type=Path,
        metavar="FILE",
        help="the ONNX file, ending in .onnx; or a folder, for a file named after MODEL (needs the package onnx)",
    )
    export.add_argument("--dtype", metavar="DTYPE", help="of the arithmetic in the ONNX file (default: the model's)")


def run(args: argparse.Namespace) -> None:
    from fastmlp.model import Model
    from fastmlp.storage import model_file
    from fastmlp.tables.table_model import TableModel

    if args.c is None and args.onnx is None:
        raise ValueError("give --c PLACE or --onnx FILE, or both: what to write")
    for option, value, other in (("--name", args.name, args.c), ("--dtype", args.dtype, args.onnx)):
        if value is not None and other is None:
            raise ValueError(f"{option} goes with {'--c' if option == '--name' else '--onnx'}, which is not given")
    source, onnx = _places(args)
    _, header, _ = model_file.read(args.model, "table", "model", "checkpoint")
    model = TableModel.load(args.model) if header["kind"] == "table" else Model.load(args.model)
    if source is not None:
        with naming_options({"name": "--name", "path": "--c"}):
            written = model.to_c(source, name=args.name)
        print(f"wrote {written[0]} and {written[1]}")
    if onnx is not None:
        with naming_options({"path": "--onnx", "dtype": "--dtype"}):
            print(f"wrote {model.to_onnx(onnx, dtype=args.dtype)}")


def _places(args: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Where the source and the ONNX file go. Raises, before anything is written, where one of the files cannot be."""
    from fastmlp.export.files import place_of, word

    read: dict[str, Path | None] = {"the model": args.model}
    source = onnx = None
    if args.c is not None:
        with naming_options({"path": "--c"}):
            source = place_of(args.c, ".c", args.name or word(args.model.stem))
        check_place("--c", source, "model.c", read)
        check_place("--c: the header", source.with_suffix(".h"), "model.h", read)
        read.update({"the source of --c": source, "the header of --c": source.with_suffix(".h")})
    if args.onnx is not None:
        if importlib.util.find_spec("onnx") is None:
            raise ImportError(lacks("--onnx needs", "onnx", "onnx"))
        with naming_options({"path": "--onnx"}):
            onnx = place_of(args.onnx, ".onnx", args.model.stem)
        check_place("--onnx", onnx, "model.onnx", read)
    return source, onnx
