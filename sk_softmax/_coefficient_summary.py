"""Estimates with their covariance, and what follows from these."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import norm

from sk_softmax._summary_table import as_frame, as_html, as_text


class WaldTable:
    """Estimates with a covariance: what tests and intervals follow from these.

    Classes that have it name the field of their estimates in `_column`, and have `labels`, `names`
    and `covariance`.
    """

    @property
    def _estimates(self):
        return getattr(self, self._column)

    @property
    def std_error(self):
        """Standard errors, shaped as the estimates."""
        return np.sqrt(np.diag(self.covariance)).reshape(self._estimates.shape)

    @property
    def z(self):
        """Wald's statistics, the estimates divided by their standard errors."""
        return self._estimates / self.std_error

    @property
    def p_value(self):
        """Two-sided p-values of z under the normal distribution."""
        return 2 * norm.sf(np.abs(self.z))

    def conf_int(self, level=0.95):
        """Confidence intervals.

        Parameters
        ----------
        level : float, default=0.95
            Between 0 and 1.

        Returns
        -------
        intervals : ndarray of shape (n_classes, n_terms, 2)
            Lower and upper ends.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must be between 0 and 1, got {level!r}.")
        half = norm.isf((1 - level) / 2) * self.std_error
        return np.stack([self._estimates - half, self._estimates + half], axis=2)

    def to_frame(self, *, library="pandas", level=0.95):
        """Convert to a data frame with a row for each class and term.

        Parameters
        ----------
        library : {"pandas", "polars"}, default="pandas"
            Whose frame.
        level : float, default=0.95
            That of the intervals.

        Returns
        -------
        frame : DataFrame
            With the columns "class", "term", "coef" or "effect", "std_error", "z", "p_value",
            "ci_lower" and "ci_upper"; of coefficients also "odds_ratio".
        """
        return as_frame(self, library, level)

    def __repr__(self):
        return as_text(self)

    def _repr_html_(self):
        return as_html(self)


@dataclass(frozen=True, repr=False)
class CoefficientSummary(WaldTable):
    """Result of `summary`. It prints as a table, in notebooks as one of HTML.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted, without those that have no weight.
    labels : ndarray of shape (n_compared,)
        The class of each row of `coef`.
    reference : label or None
        The class that these are compared with; None for the mean of all.
    names : ndarray of shape (n_terms,)
        Names of the terms: "intercept", if there is one, and the features.
    coef : ndarray of shape (n_compared, n_terms)
        Estimates: the change of the log odds of the class against the reference by one unit of the
        feature.
    covariance : ndarray of shape (n_compared * n_terms, n_compared * n_terms)
        Their covariance, in the order of ``coef.ravel()``.
    n_rows : float
        The sum of frequency weights, or the number of rows that have a sampling weight.
    df : float
        The number of parameters; with a penalty the effective number, the trace of the inverse
        Hessian times the Hessian of the loss.
    log_likelihood, log_likelihood_null : float
        Of the model, and of the class frequencies alone; in nats. Of sampling weights scaled to a
        mean of one.
    C : float
        That of the model.
    covariance_type : {"hessian", "sandwich"}
        How the covariance was estimated.
    weights : {"frequency", "sampling"}
        What a weight is.

    See Also
    --------
    summary : Makes it, with an example.
    """

    _column: ClassVar[str] = "coef"

    classes: np.ndarray
    labels: np.ndarray
    reference: object
    names: np.ndarray
    coef: np.ndarray
    covariance: np.ndarray
    n_rows: float
    df: float
    log_likelihood: float
    log_likelihood_null: float
    C: float
    covariance_type: str
    weights: str

    @property
    def odds_ratio(self):
        """``exp(coef)``: by what the odds are multiplied."""
        with np.errstate(over="ignore"):
            return np.exp(self.coef)

    @property
    def aic(self):
        """Akaike's information criterion; NaN with sampling weights."""
        return self._criterion(2.0)

    @property
    def bic(self):
        """Schwarz's information criterion; NaN with sampling weights."""
        return self._criterion(np.log(self.n_rows))

    @property
    def pseudo_r2(self):
        """McFadden's: one less the ratio of the log-likelihood to that of the frequencies."""
        return 1 - self.log_likelihood / self.log_likelihood_null

    def _criterion(self, price):
        """Minus twice the log-likelihood, and a price for each parameter."""
        if self.weights == "sampling":
            return np.nan
        return price * self.df - 2 * self.log_likelihood


@dataclass(frozen=True, repr=False)
class MarginalEffects(WaldTable):
    """Result of `average_marginal_effects`. It prints as a table, in notebooks as one of HTML.

    Attributes
    ----------
    labels : ndarray of shape (n_classes,)
        The classes that have weight, sorted.
    names : ndarray of shape (n_features,)
        Names of the features.
    effect : ndarray of shape (n_classes, n_features)
        Change of the probability of a class by one unit of a feature, at the mean over the rows.
        The classes' sum to zero.
    covariance : ndarray of shape (n_classes * n_features, n_classes * n_features)
        Their covariance, in the order of ``effect.ravel()``, by the delta method.
    n_rows : float
        The sum of frequency weights, or the number of rows that have a sampling weight.
    C : float
        That of the model.
    covariance_type : {"hessian", "sandwich"}
        How the covariance of the coefficients was estimated.
    weights : {"frequency", "sampling"}
        What a weight is.

    See Also
    --------
    average_marginal_effects : Makes it, with an example.
    """

    _column: ClassVar[str] = "effect"

    labels: np.ndarray
    names: np.ndarray
    effect: np.ndarray
    covariance: np.ndarray
    n_rows: float
    C: float
    covariance_type: str
    weights: str

    @property
    def classes(self):
        """The same as `labels`."""
        return self.labels
