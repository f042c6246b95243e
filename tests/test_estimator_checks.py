import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_softmax import SoftmaxRegression

BY_POSITION = "rows are drawn into batches by their position, so repeating one reshuffles all"


def expected_failures(estimator):
    if estimator.solver != "sgd":
        return {}
    failures = {
        "check_sample_weight_equivalence_on_dense_data": BY_POSITION,
        "check_sample_weight_equivalence_on_sparse_data": BY_POSITION,
    }
    if estimator.warm_start:
        failures["check_supervised_y_2d"] = "a second fit goes on from the first, and gets nearer"
    return failures


checks = parametrize_with_checks(
    [
        SoftmaxRegression(),
        SoftmaxRegression("lbfgs"),
        SoftmaxRegression("lbfgs", C=1e4, tol=1e-20),
        SoftmaxRegression("lbfgs", class_weight="balanced", n_jobs=1),
        SoftmaxRegression("lbfgs", warm_start=True, tol=None),
        SoftmaxRegression(l1_ratio=0.5),
        SoftmaxRegression("prox-newton", bounds=(-1.0, 1.0), tol=1e-10),
        SoftmaxRegression("sgd"),
        SoftmaxRegression("sgd", learning_rate=1e-5, momentum=0.9, batch_size=16),
        SoftmaxRegression("sgd", class_weight="balanced", warm_start=True, n_jobs=1),
        SoftmaxRegression("sgd", tol=None, max_iter=50),
    ],
    expected_failed_checks=expected_failures,
)


# A list, because scikit-learn 1.7 passes a generator, of which pytest 9 warns.
@pytest.mark.filterwarnings("ignore:All weight:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(checks.args[0], list(checks.args[1]), ids=checks.kwargs["ids"])
def test_common_checks(estimator, check):
    check(estimator)
