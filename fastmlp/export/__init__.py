"""Trained networks for other programs: as C, with the same bits, as ONNX, as PyTorch modules, and from other libraries.

Each file has one subject. `conversions` has the methods of `Model`, which import the rest when they are called.
`onnx_graph` writes ONNX, `torch_modules` makes modules and reads them, `foreign` reads estimators. `c_source` joins
what the others give: `c_text` numbers and names as C reads them, `c_arithmetic` fma and products that a compiler cannot
contract, `c_functions` the elementary functions, activations and outputs, `c_parts` what stands before and after a
network, `c_selftest` the check of all of it, `c_header` what a caller sees.
"""
