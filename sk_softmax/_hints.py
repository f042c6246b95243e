"""What to say of parameters and values that other estimators know by another name."""

import functools
import inspect

from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

_PENALTY = "The penalty is L2 of strength 1/C; l1_ratio=1 makes it L1, and C=numpy.inf none."
_MULTINOMIAL = "More than two classes are always multinomial; see OneVsRestClassifier for the rest."
_LIBLINEAR = 'It belongs to "liblinear"; the intercept is never penalised here.'
_RATE = 'learning_rate takes the number itself, or "auto".'
_EPOCHS = "max_iter is the number of epochs."

_PARAMETERS = {
    "penalty": _PENALTY,
    "alpha": "C = 1 / (alpha * n_samples).",
    "multi_class": _MULTINOMIAL,
    "dual": _LIBLINEAR,
    "intercept_scaling": _LIBLINEAR,
    "loss": "The loss is the cross-entropy.",
    "eta0": _RATE,
    "learning_rate_init": _RATE,
    "lr": _RATE,
    "power_t": "schedule says how the learning rate changes.",
    "nesterovs_momentum": "The parameter is called nesterov.",
    "hidden_layer_sizes": "There are no hidden layers.",
    "epochs": _EPOCHS,
    "n_epochs": _EPOCHS,
}

_OTHER_SOLVERS = {"newton-cg", "newton-cholesky", "liblinear", "sag", "saga", "adam"}
_SCHEDULES = {"optimal", "constant", "invscaling", "adaptive", "inverse_scaling", "cosine"}
_VALUES = {
    "solver": (
        (_OTHER_SOLVERS, 'With "auto" or "lbfgs" raw features need no other solver.'),
        ({"l1", "l2", "elasticnet"}, f"The first argument is the solver. {_PENALTY}"),
    ),
    "learning_rate": (
        (
            _SCHEDULES,
            'A number goes to learning_rate, and how it changes to schedule, such as "constant", '
            '"inverse_scaling", "cosine" or "adaptive".',
        ),
    ),
    "schedule": (
        ({"invscaling"}, 'It is called "inverse_scaling" here.'),
        ({"optimal"}, 'learning_rate="auto" with schedule="auto" needs no tuning.'),
    ),
}

_PAGE = 'The page "Coming from scikit-learn\'s classifiers" of the user guide has all names.'


def _of_parameters(names, estimator):
    """What takes the place of the first name that is another estimator's, or None."""
    ours = estimator._get_param_names()
    for name in names:
        if name in _PARAMETERS and name not in ours:
            title = type(estimator).__name__
            return f"{title} has no parameter {name!r}. {_PARAMETERS[name]} {_PAGE}"
    return None


def _of_values(parameters):
    """What takes the place of values that are another estimator's, or an empty string."""
    for name, hints in _VALUES.items():
        value = parameters.get(name)
        for values, hint in hints:
            if isinstance(value, str) and value in values:
                return f" {hint} {_PAGE}"
    return ""


def explained(init):
    """An `__init__` that says what takes the place of another estimator's parameters."""

    @functools.wraps(init)
    def __init__(self, *args, **parameters):
        hint = _of_parameters(parameters, self)
        if hint:
            raise TypeError(hint)
        init(self, *args, **parameters)

    return __init__


@functools.cache
def defaults_of(estimator_class):
    """The defaults of the constructor's parameters by name, `Parameter.empty` for none."""
    parameters = inspect.signature(estimator_class.__init__).parameters
    return {name: parameters[name].default for name in estimator_class._get_param_names()}


class ExplainedParametersMixin:
    """Says what takes the place of parameters and values that other estimators have."""

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by the names of the constructor.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        hint = _of_parameters(params, self)
        if hint:
            raise ValueError(hint)
        return super().set_params(**params)

    def _validate_params(self):
        """Check parameters; those at their defaults are valid, and to check them all takes long."""
        defaults = defaults_of(type(self))
        values = {name: getattr(self, name) for name in defaults}
        given = {name: value for name, value in values.items() if value is not defaults[name]}
        try:
            validate_parameter_constraints(
                self._parameter_constraints, given, caller_name=type(self).__name__
            )
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{error}{_of_values(vars(self))}") from None
