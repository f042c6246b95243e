"""One fit: the rows, the objective, the solver, and what the estimator then knows."""

from dataclasses import replace

import numpy as np

from sk_softmax._callbacks import FitTask, IterationRecorder, with_callbacks
from sk_softmax._complaints import complaint, warnings_of
from sk_softmax._early_stopping import Validation
from sk_softmax._formulation import coefficients, initial_theta, make_objective
from sk_softmax._solver_choice import solver_of
from sk_softmax._solvers import SGD, SolverResult, StopReason, Stream, planned_iterations
from sk_softmax._threads import RowThreads


@with_callbacks
def fit_to(estimator, X, y, sample_weight, offset, held_out):
    """Fit an estimator, which an error may leave half fitted; the warnings that are due."""
    data, held_out = _training_and_held_out(estimator, X, y, sample_weight, offset, held_out)
    with RowThreads(estimator.n_jobs) as threads:
        objective = make_objective(estimator, data, threads)
        theta = initial_theta(estimator, objective, data)
        estimator.solver_, solver = solver_of(estimator, objective)
        validation = held_out and _make_validation(estimator, held_out, objective)
        metadata = {"sample_weight": sample_weight, "offset": offset}
        task = FitTask(estimator, "fit", X, y, metadata, max_subtasks=planned_iterations(solver))
        callback = _callback(task, objective, theta, data)
        recorder = IterationRecorder(solver, estimator.verbose, validation, callback)
        result = minimised(solver, objective, theta, recorder)
        if estimator.early_stopping and validation:
            result = _best_of(objective, validation, result)
        can_stream = SGD.objection(objective.penalty) is None
        stream = Stream.after_fit(objective, data) if can_stream else None
    if result.stop_reason is StopReason.DIVERGED:
        raise ValueError(complaint(estimator, solver, result))
    found = coefficients(objective, result.theta, data)
    vars(estimator).update(found)
    _note_rows(estimator, data, offset, stream)
    _note_result(estimator, result, recorder.history())
    vars(estimator).pop("batch_history_", None)
    if estimator.record_batches and isinstance(solver, SGD):
        estimator.batch_history_ = recorder.batch_history()
    task.end(found)
    return list(warnings_of(estimator, solver, result, data.classes[data.weighted]))


def minimised(solver, objective, theta, on_iteration):
    """The `SolverResult` of a solver; without one where a single class has all weight."""
    if objective.n_classes == 1:
        return SolverResult(theta, 0.0, 0, True, StopReason.TOL, gap=0.0)
    return solver.minimize(objective, theta, on_iteration)


def _training_and_held_out(estimator, X, y, sample_weight, offset, held_out):
    """The rows to train on, and those held out or None, both validated."""
    data = estimator._check_data(X, y, sample_weight, offset)
    held_out = estimator._check_held_out(*held_out, data)
    if held_out is None and estimator.early_stopping and len(data.weighted) > 1:
        return estimator._hold_out(data)
    return data, held_out


def _make_validation(estimator, held_out, objective):
    """The `Validation` on rows held out, which stops only if `early_stopping` says so."""
    rows = held_out.rows(estimator.label_smoothing, objective.threads)
    patience = estimator.n_iter_no_change if estimator.early_stopping else None
    return Validation(rows, objective.unpack, estimator.tol or 0.0, patience)


def _callback(task, objective, theta, data):
    """What tells the callbacks of a `FitTask` of each iteration, or None without any."""
    if not task.is_followed:
        return None
    task.attributes = coefficients(objective, theta, data)
    return lambda get_theta: task.iteration(coefficients(objective, get_theta(), data))


def _best_of(objective, validation, result):
    """The result at the parameters that did best on the rows held out."""
    if validation.best_theta is None:
        return result
    value, _ = objective.value_and_gradient(validation.best_theta)
    stopped = validation.should_stop
    return replace(
        result,
        theta=validation.best_theta,
        value=value,
        gap=np.inf,
        gap_method=None,
        converged=result.converged or stopped,
        stop_reason=StopReason.EARLY_STOPPING if stopped else result.stop_reason,
    )


def _note_rows(estimator, data, offset, stream):
    """Set what `partial_fit` has to know of the rows."""
    estimator._weight_seen, estimator._has_offset = data.total_weight, offset is not None
    vars(estimator).pop("_stream", None)
    if stream:
        estimator._stream = stream.as_dict()


def _note_result(estimator, result, history):
    """Set the attributes that say how the solver ended; its gap is also the last in `history_`."""
    estimator.loss_ = result.value
    estimator.n_iter_ = np.array([result.n_iter], dtype=np.int32)
    estimator.converged_ = result.converged
    estimator.stop_reason_ = str(result.stop_reason)
    estimator.history_ = history
    vars(estimator).pop("gap_", None)
    vars(estimator).pop("gap_method_", None)
    if "gap" in history:
        estimator.gap_, estimator.gap_method_ = result.gap, result.gap_method
        if result.gap < np.inf and len(history["gap"]):
            history["gap"][-1] = result.gap
