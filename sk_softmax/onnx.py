"""Export to ONNX: a converter for skl2onnx, 1.17 or later.

skl2onnx's own converter for linear classifiers is written for scikit-learn's: of any other binary
model it makes ``softmax([-z, z])``, which is the sigmoid of 2 z.
"""

import numpy as np

from sk_softmax._rows import dense
from sk_softmax._softmax_regression import SoftmaxRegression


def register():
    """Teach skl2onnx to convert `SoftmaxRegression`, alone or as a part of pipelines.

    After it, ``skl2onnx.to_onnx(model, X[:1])`` gives a graph with the labels as its first
    output and the probabilities as its second. It computes in the precision of the input:
    float64 if that is float64, otherwise float32, the opposite of what scikit-learn does with
    integers. Labels are int64 or strings; booleans become 0 and 1.

    These options of skl2onnx apply: "zipmap", "nocl" (labels are indices of `classes_`),
    "output_class_labels" and "raw_scores" (logits in place of probabilities; for two classes
    ``[-z, z]`` where z is the `decision_function`, as for LogisticRegression).

    Raises
    ------
    ImportError
        If skl2onnx is not installed. The conversion itself raises ValueError for a model that was
        fitted with an offset.

    Examples
    --------
    >>> import sk_softmax.onnx
    >>> sk_softmax.onnx.register()  # doctest: +SKIP
    >>> skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    except ImportError as error:
        message = 'sk_softmax.onnx needs skl2onnx: pip install "skl2onnx>=1.17".'
        raise ImportError(message) from error
    update_registered_converter(
        SoftmaxRegression,
        "SkSoftmaxSoftmaxRegression",
        calculate_linear_classifier_output_shapes,
        _convert,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "output_class_labels": [False, True],
            "raw_scores": [True, False],
        },
    )


def _convert(scope, operator, container):
    """Add ``softmax(X W' + b)`` and the label of its maximum to a graph."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, guess_proto_type
    from skl2onnx.common.utils_classifier import get_label_classes
    from skl2onnx.proto import onnx_proto

    model, (given,) = operator.raw_operator, operator.inputs
    if getattr(model, "_has_offset", False):
        raise ValueError(
            "The model was fitted with an offset, which is no input of the graph: without it, "
            "probabilities would be others. Export a model fitted without an offset."
        )
    label, output = (variable.full_name for variable in operator.outputs)
    types = onnx_proto.TensorProto
    is_float = isinstance(given.type, (FloatTensorType, DoubleTensorType))
    number = guess_proto_type(given.type) if is_float else types.FLOAT

    def constant(name, values, proto_type=number):
        name = scope.get_unique_variable_name(name)
        container.add_initializer(name, proto_type, values.shape, values.ravel().tolist())
        return name

    def node(kind, inputs, result=None, **attributes):
        result = result or scope.get_unique_variable_name(kind.lower())
        name = scope.get_unique_operator_name(kind)
        container.add_node(kind, inputs, result, name=name, **attributes)
        return result

    raw_scores = container.get_options(model, {"raw_scores": False})["raw_scores"]
    W, b = dense(model.coef_).astype(np.float64), model.intercept_.astype(np.float64)
    if len(W) == 1:
        # The softmax of these two is the sigmoid.
        W, b = (np.concatenate([-a, a]) / (1 if raw_scores else 2) for a in (W, b))
    X = given.full_name if is_float else node("Cast", given.full_name, to=number)
    product = node("MatMul", [X, constant("coef", W.T)])
    logits = node("Add", [product, constant("intercept", b)], output if raw_scores else None)
    if not raw_scores:
        node("Softmax", logits, output, axis=1)
    classes = np.array(get_label_classes(scope, model))
    labels = constant(
        "classes", classes, types.STRING if classes.dtype.kind in "UO" else types.INT64
    )
    node("Gather", [labels, node("ArgMax", logits, axis=1, keepdims=0)], label)
