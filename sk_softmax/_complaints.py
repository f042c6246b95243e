"""What a fit says of how it ended, and what to do about it."""

from sklearn.exceptions import ConvergenceWarning

from sk_softmax._solver_choice import set_of_sgd
from sk_softmax._solvers import SGD, StopReason

_NOT_CONVERGED = {
    StopReason.MAX_ITER: "stopped after max_iter={n_iter} {unit}; increase max_iter or tol",
    StopReason.NO_IMPROVEMENT: (
        "lowers the training loss no further after {n_iter} {unit}, but an estimated {share:.2%} "
        "or more of what the loss can fall by is left, as outlying rows, columns of very different "
        'magnitudes, or too low a learning_rate may leave it; take solver="lbfgs"'
    ),
    StopReason.PRECISION: (
        "can get no nearer to the minimum in floating point; increase tol, or scale the features"
    ),
    StopReason.SEPARABLE: (
        "stopped after {n_iter} {unit}: hyperplanes separate some classes, at least in part, so "
        "that without a penalty the minimum is at infinity; set C to a finite number"
    ),
    StopReason.DIVERGED: (
        'diverged after {n_iter} {unit}; lower learning_rate or leave it at "auto", and scale '
        "the features, for example with StandardScaler"
    ),
}
_ONE_CLASS = (
    "All weight (sample_weight times class_weight) is on one class, {!r}, which the model always "
    "predicts."
)


def complaint(estimator, solver, result):
    """What went wrong and what to do about it."""
    is_sgd = isinstance(solver, SGD)
    unit = solver.unit + "s" * (result.n_iter != 1)
    reason = _NOT_CONVERGED[result.stop_reason].format(**vars(result), unit=unit)
    given = is_sgd and estimator.learning_rate != "auto"
    if is_sgd and result.stop_reason is StopReason.MAX_ITER:
        reason += ", raise learning_rate," if given else ","
        reason += ' or take solver="lbfgs"'
    rate = f" with learning_rate={estimator.learning_rate:g}" if given else ""
    return f"The solver {estimator.solver_!r}{rate} {reason}."


def warnings_of(estimator, solver, result, classes):
    """The warnings that are due after a fit to `classes`, those that have weight."""
    unused = set_of_sgd(estimator)
    if unused and not isinstance(solver, SGD):
        yield UserWarning(
            f"The solver {estimator.solver_!r} does not use {', '.join(unused)}: take "
            'solver="sgd", or "auto", which follows them.'
        )
    expected = result.converged or estimator.tol is None or getattr(result, "settled", False)
    if len(classes) == 1:
        yield UserWarning(_ONE_CLASS.format(*classes.tolist()))
    elif not expected and result.stop_reason in _NOT_CONVERGED:
        yield ConvergenceWarning(complaint(estimator, solver, result))
