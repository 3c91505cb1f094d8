"""The kernels' machine code: compiling, linking and the cache."""
