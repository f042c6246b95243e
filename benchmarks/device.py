"""Fits of torch tensors where they are: on a GPU, or to try the program on the processor.

    SCIPY_ARRAY_API=1 python benchmarks/device.py                      # the first GPU
    SCIPY_ARRAY_API=1 python benchmarks/device.py --device cpu --rows 20000 --images 2000

Seconds to relative gaps of 1e-3 and 1e-6 of the minimum, ours, of scikit-learn's LogisticRegression
under the array API, of torch.optim.LBFGS, and of cuML where it is installed: of each the quickest
of some settings that gets there. Then the time of one evaluation of loss and gradient beside that
of reading X once. Results are first checked against those of NumPy.
"""

import argparse
import json
import os
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from torch.nn import functional
from torch_lbfgs import _options

from sk_softmax import SoftmaxRegression
from sk_softmax._array_api import received
from sk_softmax._kernels import residuals
from sk_softmax._rows import Targets, as_rows
from sk_softmax._threads import RowThreads

GAPS = (1e-3, 1e-6)
C = 1.0


def main():
    """Check, measure, print and write JSON and Markdown."""
    options = parse_arguments()
    device = torch.device(options.device)
    report = {"environment": environment(device), "problems": {}}
    with sklearn.config_context(array_api_dispatch=True):
        check_against_numpy(device)
        for name, make in problems(options).items():
            if not name.startswith(options.only or ""):
                continue
            X, y = (array.to(device) for array in make())
            report["problems"][name] = {
                "shape": [*X.shape, int(y.max()) + 1],
                "fits": fits(X, y, options.limit),
                **evaluation(X, y),
            }
            print(table(name, report["problems"][name]), flush=True)
        report["epoch of sgd"] = epoch(*digits())
    print(f"An epoch of SGD on the digits, on the processor: {report['epoch of sgd']:.3f} s")
    if options.output:
        options.output.write_text(json.dumps(report, indent=1))


def parse_arguments():
    """Where, and how large."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=int, default=10_000_000, help="of 100 columns, 10 classes")
    parser.add_argument("--images", type=int, default=60_000, help="of Fashion-MNIST")
    parser.add_argument("--only", help="a problem, by the beginning of its name")
    parser.add_argument("--limit", type=float, default=10, help="seconds for a contender's fits")
    parser.add_argument("--output", type=Path, help="a JSON file")
    return parser.parse_args()


def environment(device):
    """The card, or the processor, and versions."""
    is_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if is_gpu else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
    }


def problems(options):
    """Functions that make X and y, by name."""
    found = {
        "wine, raw": lambda: tensors(*load_wine(return_X_y=True)),
        "digits": digits,
        "made": lambda: made(options.rows, 100, 10, torch.device(options.device)),
    }
    path = Path(os.environ.get("SK_SOFTMAX_DATA", ".")) / "fashion_mnist.npz"
    if path.exists():
        found["Fashion-MNIST / 255"] = lambda: fashion(path, options.images)
    else:
        print(f"no {path}: set SK_SOFTMAX_DATA for Fashion-MNIST")
    return found


def tensors(X, y):
    """In double precision, and labels as integers."""
    return torch.asarray(X, dtype=torch.float64), torch.asarray(y, dtype=torch.int64)


def digits():
    """scikit-learn's images, raw."""
    return tensors(*load_digits(return_X_y=True))


def fashion(path, n):
    """Images in [0, 1], in single precision."""
    with np.load(path) as data:
        X, y = data["X_train"][:n], data["y_train"][:n]
    return torch.asarray(X.astype(np.float32) / np.float32(255)), torch.asarray(y).long()


def made(n, p, K, device):
    """Correlated columns and labels of a softmax model, made on the device, in single precision."""
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, device=device)

    X = normal(n, p) @ (torch.eye(p, device=device) + 0.3 * normal(p, p) / p**0.5)
    logits = X @ normal(p, K) / p**0.5
    uniform = torch.rand(n, K, generator=generator, device=device).clamp_(1e-7, 1 - 1e-7)
    return X, (logits - (-uniform.log()).log()).argmax(dim=1)


def check_against_numpy(device):
    """The minimum of tensors is that of arrays."""
    X, y = load_wine(return_X_y=True)
    expected = SoftmaxRegression(tol=1e-12).fit(X, y)
    there = tensors(X, y)
    model = SoftmaxRegression(tol=1e-12).fit(*(array.to(device) for array in there))
    difference = np.abs(model.coef_.cpu().numpy() - expected.coef_).max()
    assert difference <= 1e-6 * np.abs(expected.coef_).max(), difference
    print(f"coefficients on raw wine differ from NumPy's by {difference:.1e}")


def contenders():
    """Names, and settings and functions that fit with one, from loose to tight."""
    found = {
        "SoftmaxRegression": ((1e-2, 1e-4, 1e-6), ours),
        "LogisticRegression": (((1e-4, 100), (1e-5, 1000), (1e-8, 10_000)), scikit_learn),
        "torch.optim.LBFGS": ((30, 100, 300, 1000, 3000), torch_lbfgs),
    }
    try:
        import cuml  # noqa: F401
    except ImportError:
        return found
    return {**found, "cuML": ((1e-4, 1e-6, 1e-9), cuml_fit)}


def ours(X, y, tol):
    """W and b."""
    model = SoftmaxRegression("lbfgs", C=C, tol=tol).fit(X, y)
    return model.coef_, model.intercept_


def scikit_learn(X, y, setting):
    """W and b, by lbfgs under the array API."""
    tol, max_iter = setting
    model = LogisticRegression(C=C, tol=tol, max_iter=max_iter).fit(X, y)
    return model.coef_, model.intercept_


def cuml_fit(X, y, tol):
    """W and b, by cuML's quasi-Newton."""
    import cuml

    model = cuml.LogisticRegression(C=C, tol=tol, max_iter=10_000, output_type="numpy").fit(X, y)
    return tuple(torch.asarray(a, device=X.device) for a in (model.coef_, model.intercept_))


def torch_lbfgs(X, y, max_iter):
    """W and b, from zero, with a strong Wolfe line search."""
    K, lam = int(y.max()) + 1, 1 / (C * len(y))
    W, b = (
        torch.zeros(shape, dtype=X.dtype, device=X.device, requires_grad=True)
        for shape in ((K, X.shape[1]), (K,))
    )
    optimizer = torch.optim.LBFGS([W, b], **_options((10, max_iter)))

    def closure():
        optimizer.zero_grad()
        value = functional.cross_entropy(torch.addmm(b, X, W.T), y) + lam / 2 * W.square().sum()
        value.backward()
        return value

    optimizer.step(closure)
    return W.detach(), b.detach()


def objective(X, y, W, b):
    """The value of the objective, in double precision, in pieces."""
    W, b = W.double(), b.double()
    loss = sum(
        float(functional.cross_entropy(part.double() @ W.T + b, labels, reduction="sum"))
        for part, labels in zip(X.split(2**20), y.split(2**20), strict=True)
    )
    return loss / len(y) + float(W.square().sum()) / (2 * C * len(y))


def fits(X, y, limit):
    """Seconds and values of all settings of all contenders, those within the limit."""
    found = {}
    for name, (settings, fit) in contenders().items():
        found[name], spent = [], 0.0
        timed(fit, X[:1000], y[:1000], settings[0])  # loads what it needs
        for setting in settings:
            if spent > limit:
                break
            seconds, (W, b) = timed(fit, X, y, setting)
            spent += seconds
            value = objective(X, y, W, b)
            found[name].append({"setting": setting, "seconds": seconds, "value": value})
    return found


def timed(function, *arguments):
    """Seconds of a call, with all that it has the device do, and what it returns."""
    synchronise()
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = function(*arguments)
    synchronise()
    return time.perf_counter() - start, result


def synchronise():
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def evaluation(X, y, repeats=5):
    """Seconds of loss and gradient, and of reading X once."""
    n, K = len(y), int(y.max()) + 1
    model = np.zeros((K, X.shape[1])), np.zeros(K)
    with RowThreads() as threads:
        targets = Targets(y.cpu().numpy(), K)
        rows = as_rows(received(X), targets, np.ones(n), threads)
        rows = rows.astype(np.float32) if X.dtype == torch.float32 else rows
        seconds = [timed(rows.sums, residuals, model)[0] for _ in range(repeats)]
    read = [timed(X.sum)[0] for _ in range(repeats)]
    n_bytes = X.numel() * X.element_size()
    return {
        "evaluation": min(seconds),
        "read": min(read),
        "bandwidth": n_bytes / min(read),
    }


def epoch(X, y):
    """Seconds of an epoch of our SGD, of tensors on the processor."""
    return timed(SoftmaxRegression("sgd", max_iter=1, tol=None).fit, X, y)[0]


def table(name, problem):
    """Seconds to each gap, and what an evaluation takes beside reading X, in Markdown."""
    best = min(fit["value"] for fits in problem["fits"].values() for fit in fits)
    lines = [
        f"\n{name}, {' x '.join(f'{number:,}' for number in problem['shape'])}\n",
        "| contender | " + " | ".join(f"{gap:.0e}" for gap in GAPS) + " | least gap |",
        "|---|" + "---|" * (len(GAPS) + 1),
    ]
    for contender, found in problem["fits"].items():
        gaps = [(fit["value"] - best) / abs(best) for fit in found]
        cells = []
        for gap in GAPS:
            reached = [fit["seconds"] for fit, g in zip(found, gaps, strict=True) if g <= gap]
            cells.append(f"{min(reached):.3f} s" if reached else "not reached")
        lines.append(f"| {contender} | {' | '.join(cells)} | {min(gaps):.0e} |")
    ratio = problem["evaluation"] / problem["read"]
    lines.append(
        f"\nAn evaluation takes {problem['evaluation']:.4f} s, {ratio:.1f} times as long as to "
        f"read X once, at {problem['bandwidth'] / 1e9:.0f} GB/s."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
