"""From the parameters of an estimator to its solver."""

from dataclasses import fields

from sklearn.utils import check_random_state

from sk_softmax._solvers import SOLVERS, choose_solver

# Parameters that only "sgd" has, and that choose it unless they are at these defaults.
_OF_SGD = {
    "learning_rate": "auto",
    "schedule": "auto",
    "batch_size": "auto",
    "momentum": 0.0,
    "nesterov": False,
    "average": False,
    "record_batches": None,
}


def set_of_sgd(estimator):
    """Names of the parameters that only "sgd" has and that are not at their defaults."""
    return [name for name, default in _OF_SGD.items() if getattr(estimator, name) != default]


def asks_for_sgd(estimator):
    """Whether "sgd" is asked for, by its name or by a parameter that only it has."""
    if estimator.solver == "auto":
        return bool(set_of_sgd(estimator))
    return estimator.solver == "sgd"


def solver_of(estimator, objective):
    """The name of the solver that a fit takes, and the solver."""
    name = estimator.solver
    if asks_for_sgd(estimator):
        name = "sgd"
    elif name == "auto":
        name = choose_solver(objective.rows, objective.penalty)
    if name == "sgd":
        refuse_sgd_of(objective.rows, 'The solver "sgd"')
    return name, make_solver(name, estimator, objective.penalty)


def make_solver(name, estimator, penalty):
    """The solver of a name, from the parameters that its fields name."""
    solver_class = SOLVERS[name]
    objection = solver_class.objection(penalty)
    if objection:
        raise ValueError(f"The solver {name!r} {objection}.")
    options = {field.name: getattr(estimator, field.name) for field in fields(solver_class)}
    if "random_state" in options:
        options["random_state"] = check_random_state(estimator.random_state)
    return solver_class(**options)


def refuse_sgd_of(rows, what):
    """Rows on a device or in workers cannot be taken at random."""
    if not rows.random_access:
        raise ValueError(
            f"{what} takes rows at random, which it cannot where X is: on a device. Call fit with "
            'solver="lbfgs", which reaches the minimum, or move X to the CPU.'
        )
