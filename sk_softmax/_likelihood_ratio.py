"""The likelihood-ratio test between two models of the same rows."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from sk_softmax._coefficient_summary import CoefficientSummary

_NOT_COMPARABLE = (
    "likelihood_ratio_test compares two models of the same rows by maximum likelihood: "
)


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """Result of `likelihood_ratio_test`.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods.
    df : int
        The number of parameters that the larger model has more.
    p_value : float
        Under the chi-squared distribution.
    """

    statistic: float
    df: int
    p_value: float


def likelihood_ratio_test(smaller, larger):
    """Test whether what a larger model has more than a smaller one is needed.

    Parameters
    ----------
    smaller, larger : CoefficientSummary
        Of two models without a penalty that were fitted to the same rows. The smaller one must be a
        special case of the larger, such as one without some of its columns.

    Returns
    -------
    test : LikelihoodRatioTest
        Wilks's test.

    Raises
    ------
    ValueError
        If the models cannot be compared so.

    References
    ----------
    .. [1] S. S. Wilks, "The Large-Sample Distribution of the Likelihood Ratio for Testing Composite
       Hypotheses", Annals of Mathematical Statistics 9, 1938.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from sk_softmax import SoftmaxRegression, likelihood_ratio_test, summary
    >>> X, y = load_wine(return_X_y=True)
    >>> summaries = []
    >>> for columns in ([1, 2], [1, 2, 4]):
    ...     model = SoftmaxRegression(C=np.inf).fit(X[:, columns], y)
    ...     summaries.append(summary(model, X[:, columns], y))
    >>> test = likelihood_ratio_test(*summaries)
    >>> print(f"{test.statistic:.2f}, {test.df} parameters, p = {test.p_value:.2g}")
    14.22, 2 parameters, p = 0.00082
    """
    for each in (smaller, larger):
        if not isinstance(each, CoefficientSummary):
            raise TypeError(
                f"smaller and larger must be made by summary, got {type(each).__name__}."
            )
        if np.isfinite(each.C):
            raise ValueError(f"{_NOT_COMPARABLE}fit both with C=np.inf, not C={each.C:g}.")
        if each.weights == "sampling":
            raise ValueError(f"{_NOT_COMPARABLE}sampling weights have none; test by z.")
    same_rows = np.array_equal(smaller.classes, larger.classes) and np.allclose(
        [smaller.n_rows, smaller.log_likelihood_null],
        [larger.n_rows, larger.log_likelihood_null],
        rtol=1e-9,
    )
    if not same_rows:
        raise ValueError(f"{_NOT_COMPARABLE}these have other rows, labels or weights.")
    df = round(larger.df - smaller.df)
    statistic = 2 * (larger.log_likelihood - smaller.log_likelihood)
    if df <= 0 or statistic < -1e-9 * abs(larger.log_likelihood):
        raise ValueError(
            f"{_NOT_COMPARABLE}smaller must be a special case of larger, but has {smaller.df:g} "
            f"parameters and log-likelihood {smaller.log_likelihood:.6g}, larger {larger.df:g} and "
            f"{larger.log_likelihood:.6g}."
        )
    statistic = max(statistic, 0.0)
    return LikelihoodRatioTest(statistic, df, float(chi2.sf(statistic, df)))
