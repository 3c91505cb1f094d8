"""Rows of the kernels that make columns ready, for `kernels.py`: float64 alone."""

from __future__ import annotations

import numpy as np

from fastmlp.core.preprocess import RobustScale, Scale

from .rows import Row, Size, row


def _columns(size: Size) -> np.ndarray:
    return np.random.default_rng(0).normal(3, 2, (size.rows, size.K))


def _sums(size: Size) -> np.ndarray:
    return np.zeros((8 + (-(-size.rows // 512)).bit_length()) * size.K)


@row("preprocess.median")
def median(dtype: str, size: Size) -> Row:
    values, found = np.random.default_rng(0).normal(size=size.count), np.zeros(1)
    return Row(
        dict(values=values, count=size.count, scratch=np.zeros(size.count), found=found),
        lambda median: (np.array([median(values)]),),
        lambda: (found,),
        lambda: (np.array([np.median(values)]),),
    )


@row("preprocess.quartile")
def quartile(dtype: str, size: Size) -> Row:
    values, found = np.random.default_rng(0).normal(size=size.count), np.zeros(1)
    return Row(
        dict(values=values, number=1, count=size.count, scratch=np.zeros(size.count), found=found),
        lambda quartile: (np.array([quartile(values, 1)]),),
        lambda: (found,),
        lambda: (np.array([np.quantile(values, 0.25)]),),
    )


@row("preprocess.filled")
def filled(dtype: str, size: Size) -> Row:
    values = np.random.default_rng(0).normal(size=size.count)
    values[::7] = np.nan
    to, flags = np.zeros_like(values), np.zeros_like(values)
    return Row(
        dict(values=values, value=0.5, rows=size.count, to=to, flags=flags),
        lambda filled: filled(values, 0.5),
        lambda: (to, flags),
        lambda: (np.nan_to_num(values, nan=0.5),),
    )


@row("preprocess.one_hot")
def one_hot(dtype: str, size: Size) -> Row:
    codes = np.random.default_rng(0).integers(-1, size.J, size.rows)
    x = np.zeros((size.rows, size.J))
    return Row(
        dict(codes=codes, count=size.J, rows=size.rows, x=x),
        lambda one_hot: (one_hot(codes, size.J),),
        lambda: (x,),
        lambda: ((codes[:, None] == np.arange(size.J)).astype(np.float64),),
    )


@row("preprocess.mean")
def mean(dtype: str, size: Size) -> Row:
    x, found = _columns(size), np.zeros(size.K)
    return Row(
        dict(x=x, rows=size.rows, columns=size.K, sums=_sums(size), found=found),
        lambda mean: (mean(x),),
        lambda: (found,),
        lambda: (x.mean(axis=0),),
    )


@row("preprocess.deviation")
def deviation(dtype: str, size: Size) -> Row:
    x, found = _columns(size), np.zeros(size.K)
    centre = Scale.of(x, range(size.K)).mean
    return Row(
        dict(x=x, centre=centre, rows=size.rows, columns=size.K, sums=_sums(size), found=found),
        lambda deviation: (deviation(x, centre),),
        lambda: (found,),
        lambda: (x.std(axis=0),),
    )


@row("preprocess.standardised")
def standardised(dtype: str, size: Size) -> Row:
    x, z = _columns(size), np.zeros((size.rows, size.K))
    scale = Scale.of(x, range(size.K))
    return Row(
        dict(x=x, centre=scale.mean, spread=scale.deviation, rows=size.rows, columns=size.K, z=z),
        lambda standardised: (standardised(x, scale.mean, scale.deviation),),
        lambda: (z,),
        lambda: ((x - scale.mean) / scale.deviation,),
    )


@row("preprocess.unstandardised")
def unstandardised(dtype: str, size: Size) -> Row:
    z, x = _columns(size), np.zeros((size.rows, size.K))
    scale = Scale.of(z, range(size.K))
    return Row(
        dict(z=z, centre=scale.mean, spread=scale.deviation, rows=size.rows, columns=size.K, x=x),
        lambda unstandardised: (unstandardised(z, scale.mean, scale.deviation),),
        lambda: (x,),
        lambda: (z * scale.deviation + scale.mean,),
    )


@row("preprocess.smoothly_clipped")
def smoothly_clipped(dtype: str, size: Size) -> Row:
    x, z = _columns(size), np.zeros((size.rows, size.K))
    scale = RobustScale.of(x, range(size.K))

    def textbook() -> tuple[np.ndarray]:
        t = (x - scale.mean) / scale.deviation
        return (t / np.sqrt(1 + (t / 3) ** 2),)

    return Row(
        dict(x=x, centre=scale.mean, spread=scale.deviation, rows=size.rows, columns=size.K, z=z),
        lambda smoothly_clipped: (smoothly_clipped(x, scale.mean, scale.deviation),),
        lambda: (z,),
        textbook,
    )
