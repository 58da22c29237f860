"""How certain a share of few cases is. Pure code."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959964
"""The normal distribution's 97.5 % point: 95 % lie between minus and plus this."""


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share: Wilson's score interval.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927), 209-212; without continuity correction, it
    is method 3 of R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872.

    Raises:
        ValueError: ``of`` is 0, or ``hits`` is not among 0 to ``of``.
    """
    if not 0 <= hits <= of or of == 0:
        raise ValueError(f"no share: {hits} of {of}")
    share, z2 = hits / of, Z_95**2
    middle = share + z2 / (2 * of)
    half = Z_95 * sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    low, high = ((middle + side) / (1 + z2 / of) for side in (-half, half))
    return max(0.0, low), min(1.0, high)
