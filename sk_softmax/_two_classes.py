"""Two classes as one row: their probabilities depend on the difference of their logits alone.

Residuals of the first class are minus those of the second. So rows in memory compute, for kernels
that have a counterpart for two classes, one row of logits for each model instead of two, and one
row of sums.
"""

from functools import partial

import numpy as np


def for_two_classes(counterpart):
    """Mark a kernel as having a counterpart, which takes ``d = z_1 - z_0`` for Z, (1, m) a model.

    Where the kernel turns Z into R (2, m) that sums to zero, it turns d into the second row.
    """

    def mark(kernel):
        kernel.counterpart = counterpart
        return kernel

    return mark


def counterpart_of(kernel):
    """That of a kernel, or of a partial one, for two classes; None without one."""
    if isinstance(kernel, partial):
        counterpart = counterpart_of(kernel.func)
        return counterpart and partial(counterpart, *kernel.args, **kernel.keywords)
    return getattr(kernel, "counterpart", None)


def difference(model):
    """The model (1, p), (1,) of the difference of two classes' logits."""
    W, b = model
    return W[1:] - W[:1], None if b is None else b[1:] - b[:1]


def for_both(sums):
    """Sums of both classes from that of the second, (1, p) or (1,)."""
    return np.concatenate([-sums, sums])
