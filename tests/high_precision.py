"""Minima to fifty digits by Newton's method in multiple precision.

`python tests/high_precision.py`, with mpmath installed, prints the numbers that
test_published.py compares with. It knows nothing of the package.
"""

from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"

# Miners by years of exposure with normal, mild and severe pneumoconiosis: J. R. Ashford, "An
# approach to the analysis of data for semi-quantal responses", Biometrics 15, 1959.
PNEUMOCONIOSIS = np.array(
    [
        [5.8, 98, 0, 0],
        [15.0, 51, 2, 1],
        [21.5, 34, 6, 3],
        [27.5, 35, 5, 8],
        [33.5, 32, 10, 9],
        [39.5, 23, 7, 8],
        [46.0, 12, 6, 10],
        [51.5, 4, 2, 5],
    ]
)


def pneumoconiosis():
    """Logarithm of the exposure, shares of the three states, and number of miners."""
    counts = PNEUMOCONIOSIS[:, 1:]
    totals = counts.sum(axis=1)
    return np.log(PNEUMOCONIOSIS[:, :1]), counts / totals[:, np.newaxis], totals


def election_study():
    """Party identification 0..6 of 944 voters in the American National Election Study of 1996.

    In the public domain, www.electionstudies.org. Features: logarithm of the population of the
    place in thousands plus 0.1, own position from left to right, age, education, income.
    """
    table = np.loadtxt(DATA / "anes96.csv", delimiter=",", skiprows=1)
    X = table[:, :5].copy()
    X[:, 0] = np.log(X[:, 0] + 0.1)
    return X, table[:, 5].astype(int)


def minimum(X, Q, s, C=None, digits=50):
    """Coefficients (K, p), intercepts (K,) and F at the minimum, all rows summing to zero.

    C sum_i s_i H(q_i, softmax(z_i)) + 1/2 ||W||^2; without C the penalty is left out.
    """
    import mpmath as mp

    mp.mp.dps = digits
    p = X.shape[1]
    K = Q.shape[1]
    A = [[mp.mpf(float(x)) for x in row] + [mp.mpf(1)] for row in X]
    Q = [[mp.mpf(float(q)) for q in row] for row in Q]
    weight = [mp.mpf(float(w)) * (1 if C is None else mp.mpf(C)) for w in s]
    # Rows sum to zero: theta_k = sum_l B_kl eta_l with K - 1 free rows eta.
    size = (K - 1) * (p + 1)
    eta = mp.zeros(size, 1)

    def rows(eta):
        free = [[eta[k * (p + 1) + j] for j in range(p + 1)] for k in range(K - 1)]
        return [*free, [-sum(column) for column in zip(*free, strict=True)]]

    for _ in range(100):
        theta, value = rows(eta), mp.mpf(0)
        G, H = mp.zeros(size, 1), mp.zeros(size, size)
        for a, q, w in zip(A, Q, weight, strict=True):
            z = [mp.fdot(a, row) for row in theta]
            e = [mp.exp(x - max(z)) for x in z]
            P = [x / sum(e) for x in e]
            value += w * (mp.log(sum(e)) + max(z) - mp.fdot(q, z))
            r = [w * (x - y) for x, y in zip(P, q, strict=True)]
            for k in range(K - 1):
                for j in range(p + 1):
                    G[k * (p + 1) + j] += (r[k] - r[K - 1]) * a[j]
                for m in range(k + 1):
                    # (e_k - e_K)' (diag(P) - P P') (e_m - e_K)
                    h = w * ((P[k] if k == m else 0) + P[-1] - (P[k] - P[-1]) * (P[m] - P[-1]))
                    for j in range(p + 1):
                        for i in range(p + 1):
                            H[k * (p + 1) + j, m * (p + 1) + i] += h * a[j] * a[i]
        for k in range(K - 1):
            for j in range(p) if C is not None else ():
                G[k * (p + 1) + j] += theta[k][j] - theta[-1][j]
                value += theta[k][j] ** 2 / 2 + (theta[-1][j] ** 2 / 2 if k == 0 else 0)
                for m in range(k + 1):
                    H[k * (p + 1) + j, m * (p + 1) + j] += 2 if k == m else 1
        for i in range(size):
            for j in range(i):
                H[j, i] = H[i, j]
        step = mp.lu_solve(H, -G)
        eta += step
        if max(abs(x) for x in step) < mp.mpf(10) ** (-digits * 3 // 4):
            break
    theta = rows(eta)
    W = np.array([[float(x) for x in row[:p]] for row in theta])
    return W, np.array([float(row[p]) for row in theta]), float(value)


def main():
    np.set_printoptions(precision=17)
    X, y = election_study()
    print("election study", *minimum(X, np.eye(7)[y], np.ones(len(y)), digits=30), sep="\n")
    print("pneumoconiosis", *minimum(*pneumoconiosis()), sep="\n")
    print("pneumoconiosis, C = 0.1", *minimum(*pneumoconiosis(), C="0.1"), sep="\n")


if __name__ == "__main__":
    main()
