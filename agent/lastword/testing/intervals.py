"""The confidence interval of a share. Pure code."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959964
"""The 97.5 % quantile of the normal distribution: 95 % lie between -Z_95 and +Z_95."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of the share ``hits / total``: Wilson's score interval.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927), 209-212. Without continuity correction: it is
    method 3 of R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872.

    Raises:
        ValueError: ``total`` is 0, or ``hits`` is not between 0 and ``total``.
    """
    if not 0 <= hits <= total or total == 0:
        raise ValueError(f"{hits} of {total} is not a share")
    share, z2 = hits / total, Z_95**2
    middle = share + z2 / (2 * total)
    half = Z_95 * sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    low, high = ((middle + side) / (1 + z2 / total) for side in (-half, half))
    return max(0.0, low), min(1.0, high)
