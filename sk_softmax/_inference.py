"""Standard errors, tests and intervals of a fitted model's coefficients."""

import copy

import numpy as np
from scipy.special import entr

from sk_softmax._coefficient_summary import CoefficientSummary, MarginalEffects
from sk_softmax._covariance import FarFromMinimum, SingularHessian, average_effects, estimates
from sk_softmax._formulation import make_objective, theta_of
from sk_softmax._offsets import check_offset_like
from sk_softmax._rows import dense
from sk_softmax._softmax_regression import SoftmaxRegression
from sk_softmax._threads import RowThreads
from sk_softmax._training_data import check_summary_data
from sk_softmax._unwrap import names_of_columns, unwrap


def summary(
    estimator,
    X,
    y,
    sample_weight=None,
    *,
    covariance="auto",
    weights="frequency",
    reference=None,
    symmetric=False,
    offset=None,
):
    """Estimate standard errors of a fitted model's coefficients, with tests and intervals.

    Without a penalty, ``C=np.inf``, these are the maximum-likelihood estimates and their
    asymptotic covariance, as statsmodels' ``MNLogit`` and R's ``multinom`` report them. With a
    penalty the covariance is that of a posterior: see Notes.

    Parameters
    ----------
    estimator : SoftmaxRegression
        Fitted, also as the last step of a pipeline or as `best_estimator_` of a search.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows that it was fitted to.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Their labels, or probabilities such as shares of counts.
    sample_weight : array-like of shape (n_samples,), default=None
        The weights that it was fitted with.
    covariance : {"auto", "hessian", "sandwich"}, default="auto"
        "hessian" is the inverse of the observed information, right if the model is. "sandwich"
        (robust, HC0) is right for large samples even if it is not. "auto" takes
        "sandwich" for sampling weights, otherwise "hessian".
    weights : {"frequency", "sampling"}, default="frequency"
        Whether a weight is a number of repetitions, or what a row stands for in the population, as
        in surveys. The latter needs the sandwich; its scale has no influence.
    reference : label, default=None
        The class that the others are compared with; None for the first.
    symmetric : bool, default=False
        Whether to compare every class with the mean of all instead, as `coef_` does for three
        classes or more.
    offset : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
        The offset that it was fitted with, which the null model has too.

    Returns
    -------
    summary : CoefficientSummary
        Estimates, standard errors, z, p-values, intervals and odds ratios, log-likelihood, AIC and
        BIC. It prints as a table, and `to_frame` makes a data frame of it.

    Raises
    ------
    ValueError
        If the model is not at the minimum on these data, whose rows or weights may be others; if
        there is no minimum (classes are separable and there is no penalty); if columns are
        collinear or constant and there is no penalty; if only one class has weight; if the
        objective is no likelihood (`label_smoothing`, `class_weight` other than with sampling
        weights) or was not minimised (`early_stopping`); if arguments contradict each other.
    TypeError
        If the estimator is no SoftmaxRegression.

    See Also
    --------
    likelihood_ratio_test : Compare two models.
    IntervalDisplay : Draw the intervals.

    Notes
    -----
    Some steps of Newton's method take the estimates from where the solver stopped to the minimum,
    so that they do not depend on `tol`. They differ from `coef_` by that much.

    With a finite `C` estimates are drawn towards zero. The inverse Hessian is then the posterior
    covariance, by Laplace's approximation, under a normal prior of variance `C` on the
    coefficients; intervals are posterior ones. They are not confidence intervals, and p-values are
    not those of tests: neither knows of the bias. "sandwich" estimates the variance of the
    penalised estimates, about the penalised values that they estimate.

    References
    ----------
    .. [1] Alan Agresti, "Categorical Data Analysis", 3rd edition, 2013, section 8.1.
    .. [2] Halbert White, "Maximum Likelihood Estimation of Misspecified Models", Econometrica 50,
           1982.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sk_softmax import SoftmaxRegression, summary
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> X = X[["sepal length (cm)", "sepal width (cm)"]]
    >>> rows = y > 0  # versicolor and virginica
    >>> model = SoftmaxRegression(C=np.inf).fit(X[rows], y[rows])
    >>> summary(model, X[rows], y[rows])
    SoftmaxRegression of 2 classes, 100 rows, C=inf
    log-likelihood -55.1629, of frequencies alone -69.3147, pseudo R2 0.2042
    AIC 116.326, BIC 124.141, covariance "hessian"
    Log odds against class 1:
    <BLANKLINE>
    class 2              coef  std error      z   p value  [0.025  0.975]  odds ratio
    -----------------  ------  ---------  -----  --------  ------  ------  ----------
    intercept          -13.05      3.097  -4.21  2.53e-05  -19.12  -6.975   2.159e-06
    sepal length (cm)   1.902     0.5169   3.68  0.000233  0.8892   2.916       6.702
    sepal width (cm)   0.4047     0.8628  0.469     0.639  -1.286   2.096       1.499
    """
    model, X, names = _model_and_columns(estimator, X)
    if symmetric and reference is not None:
        raise ValueError("Either symmetric=True or a reference, not both.")
    kind = _covariance_type(model, covariance, weights)

    rows = X, y, sample_weight, offset
    data, found, shares = _estimated(model, rows, kind, weights, names, _frequencies)
    classes = model.classes_[data.weighted]
    coef, factor, labels, reference = _contrasts(found, classes, reference, symmetric)
    if model.fit_intercept:
        coef, factor = np.roll(coef, 1, axis=1), np.roll(factor, 1, axis=1)
        names = ["intercept", *names]
    n_rows = _number_of_rows(data, weights)
    return CoefficientSummary(
        classes=classes,
        labels=labels,
        reference=reference,
        names=np.array(names, dtype=object),
        coef=coef,
        covariance=found.covariance(factor),
        n_rows=n_rows,
        df=found.df,
        log_likelihood=-n_rows * found.loss,
        log_likelihood_null=-n_rows * _null_loss(data, shares),
        C=float(model.C),
        covariance_type=kind,
        weights=weights,
    )


def average_marginal_effects(
    estimator, X, y, sample_weight=None, *, covariance="auto", weights="frequency", offset=None
):
    """Estimate by how much features change probabilities, at the mean over the rows.

    The effect of feature j on class k is the mean of the derivatives of the probability,
    ``p_ik (w_kj - sum_l p_il w_lj)``, over the rows, weighted. Unlike coefficients it needs no
    class of reference. Standard errors are by the delta method; the rows are taken as given.

    Parameters
    ----------
    estimator, X, y, sample_weight, covariance, weights, offset
        As for :func:`summary`.

    Returns
    -------
    effects : MarginalEffects
        Effects, standard errors, z, p-values and intervals. It prints as a table, and `to_frame`
        makes a data frame of it.

    Raises
    ------
    ValueError, TypeError
        As :func:`summary`.

    See Also
    --------
    summary : Coefficients and odds ratios.

    Notes
    -----
    Of a feature that is 0 or 1 it is a derivative, too, not a difference.

    References
    ----------
    .. [1] William H. Greene, "Econometric Analysis", 7th edition, 2012, sections 17.3 and 18.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sk_softmax import SoftmaxRegression, average_marginal_effects
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> X, y = X.loc[y > 0, ["sepal length (cm)", "sepal width (cm)"]], y[y > 0]
    >>> model = SoftmaxRegression(C=np.inf).fit(X, y)
    >>> effects = average_marginal_effects(model, X, y)
    >>> print(np.round(effects.effect[1], 3), np.round(effects.std_error[1], 3))
    [0.355 0.076] [0.071 0.16 ]
    """
    model, X, names = _model_and_columns(estimator, X)
    kind = _covariance_type(model, covariance, weights)
    rows = X, y, sample_weight, offset
    data, found, (effect, factor) = _estimated(model, rows, kind, weights, names, average_effects)
    return MarginalEffects(
        labels=model.classes_[data.weighted],
        names=np.array(names, dtype=object),
        effect=effect,
        covariance=found.covariance(factor),
        n_rows=_number_of_rows(data, weights),
        C=float(model.C),
        covariance_type=kind,
        weights=weights,
    )


def _model_and_columns(estimator, X):
    """The model, the X that it sees, and the names of its columns."""
    model, steps = unwrap(estimator)
    if not isinstance(model, SoftmaxRegression):
        raise TypeError(f"summary is of a SoftmaxRegression, got {type(model).__name__}.")
    names = [str(name) for name in names_of_columns(model, steps)]
    return model, X if steps is None else steps.transform(X), names


def _covariance_type(model, covariance, weights):
    """ "hessian" or "sandwich"; refuses arguments that contradict each other or the model."""
    if covariance not in ("auto", "hessian", "sandwich"):
        raise ValueError(f'covariance must be "auto", "hessian" or "sandwich", got {covariance!r}.')
    if weights not in ("frequency", "sampling"):
        raise ValueError(f'weights must be "frequency" or "sampling", got {weights!r}.')
    if weights == "sampling" and covariance == "hessian":
        raise ValueError(
            'covariance="hessian" counts weights as repetitions; sampling weights need "sandwich".'
        )
    if model.class_weight is not None and weights == "frequency":
        raise ValueError(
            "class_weight makes rows count as more or less than one observation: pass "
            'weights="sampling", or fit without it.'
        )
    _check_likelihood(model)
    is_robust = covariance == "sandwich" or weights == "sampling"
    return "sandwich" if is_robust else "hessian"


def _check_likelihood(model):
    """Refuse models whose estimates are not at the maximum of a likelihood."""
    if model.early_stopping:
        raise ValueError(
            "early_stopping holds rows out and ends before the minimum: fit all rows without it."
        )
    if model.label_smoothing:
        raise ValueError(
            "label_smoothing replaces the labels by others, of which there is no likelihood: fit "
            "with label_smoothing=0."
        )
    if getattr(model, "l1_ratio", 0) and np.isfinite(model.C):
        raise ValueError(
            "An L1 penalty selects features, and estimates have no normal distribution then: fit "
            "with l1_ratio=0, or C=np.inf on other rows with the features selected."
        )
    if model.bounds is not None:
        coef, (lower, upper) = dense(model.coef_), model.bounds
        if ((coef <= lower) | (coef >= upper)).any():
            raise ValueError(
                "A coefficient is at one of its bounds, where estimates have no normal "
                "distribution: fit without bounds, or with bounds that hold anyway."
            )
    if model.stop_reason_ == "separable":
        raise ValueError(
            "The classes are separable, at least in part, so that there are no maximum-likelihood "
            "estimates, and no standard errors. Fit with a finite C, or drop the columns that "
            "separate them."
        )


def _estimated(model, rows, kind, weights, names, more):
    """The data, their `Estimates`, and what ``more(objective, estimates)`` makes of these."""
    *_, offset = rows
    check_offset_like(offset, getattr(model, "_has_offset", False))
    data = check_summary_data(model, *rows)
    total = float(data.sample_weight.sum())
    power = None if kind == "hessian" else {"frequency": 1, "sampling": 2}[weights]
    with RowThreads(model.n_jobs) as threads, np.errstate(over="ignore", invalid="ignore"):
        objective = make_objective(model, data, threads)
        theta = theta_of(copy.copy(model), objective, data)
        try:
            found = estimates(objective, theta, total, power, _slack(model, total))
        except SingularHessian as error:
            raise ValueError(_collinear(error.columns, names)) from error
        except FarFromMinimum as error:
            raise ValueError(_not_fitted(error.distance)) from error
        return data, found, more(objective, found)


def _frequencies(objective, _):
    """The share of each class, (K,)."""
    return objective.rows.class_weight


def _null_loss(data, shares):
    """The mean loss of intercepts alone, which without an offset are those of the frequencies."""
    if data.offset is None:
        return float(entr(shares).sum())
    null = SoftmaxRegression(C=np.inf)
    constant = np.zeros((len(data.y), 1))
    return null.fit(constant, data.y, data.sample_weight, offset=data.offset).loss_


def _slack(model, total):
    """Squared standard errors that a model fitted to these data may be from the minimum.

    Where a gap within `tol` was proved twice what that allows, with room for coefficients in
    float32; more would be other data. Of other models, those that one standard error takes to the
    minimum.
    """
    if model.converged_ and getattr(model, "gap_", np.inf) < np.inf:
        return max(1e-2, 4 * total * (model.tol or 0.0) * abs(model.loss_))
    return 1.0


def _number_of_rows(data, weights):
    """Rows that frequency weights stand for, or that have a sampling weight."""
    return float(data.sample_weight.sum() if weights == "frequency" else len(data.sample_weight))


def _contrasts(found, classes, reference, symmetric):
    """Estimates and factor of the classes to compare, their labels, and the reference."""
    if symmetric:
        return found.theta, found.factor, classes, None
    reference = classes[0] if reference is None else reference
    (place,) = np.nonzero(classes == reference)
    if len(place) != 1:
        raise ValueError(f"reference must be one of the classes {classes}, got {reference!r}.")
    others = np.delete(np.arange(len(classes)), place)
    coef, factor = (part[others] - part[place] for part in (found.theta, found.factor))
    return coef, factor, classes[others], classes[place[0]]


def _collinear(columns, names):
    """What to say of a singular Hessian, given the columns that make it so."""
    involved = [names[column] for column in columns if column < len(names)]
    if not involved:
        return (
            "The Hessian is singular: some probabilities are 0 or 1 to rounding, as of classes "
            "that are nearly separable. Fit with a finite C."
        )
    return (
        "Columns are constant or collinear, among themselves or with the intercept, so that only "
        "some combinations of their coefficients can be estimated: "
        f"{', '.join(map(repr, involved[:10]))}. Drop some of them, or fit with a finite C."
    )


def _not_fitted(distance):
    """What to say of a model that is so many standard errors from the minimum."""
    where = (
        "no minimum is near" if np.isinf(distance) else f"it is {distance:.3g} standard errors off"
    )
    return (
        f"The model is not at the minimum on these data: {where}. Pass X, y and sample_weight as "
        'they were fitted, or fit with solver="lbfgs" and a smaller tol; without a penalty classes '
        "may also be separable."
    )
