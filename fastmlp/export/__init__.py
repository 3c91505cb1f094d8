"""Trained networks for other programs: as C, with the same bits. Imported by `Model.to_c` and `TableModel.to_c`.

Each file has one subject. `c_source` joins what the others give: `c_text` numbers and names as C reads them,
`c_arithmetic` fma and products that a compiler cannot contract, `c_functions` the elementary functions, activations and
outputs, `c_parts` what stands before and after a network, `c_selftest` the check of all of it, `c_header` what a
caller sees.
"""
