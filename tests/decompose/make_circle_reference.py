"""Writes circle_reference.json: circles of fixed axes by scikit-learn's PCA and scipy's Procrustes, and nulls of many
random directions, made as vectors.

    python make_circle_reference.py        (needs numpy, scipy and scikit-learn)
"""

import json
import pathlib

import numpy as np
from scipy.spatial import procrustes
from sklearn.decomposition import PCA

rng = np.random.default_rng(5)
EVEN = [324, 288, 252, 216, 180, 144, 108, 72, 36, 0]  # as data/concepts/schwartz10.toml
WEDGES = [320, 280, 240, 200, 160, 120, 80, 80, 40, 0]


def circle(degrees):
    a = np.radians(degrees)
    return np.stack([np.cos(a), np.sin(a)], 1)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def r_squared(axes, degrees):
    return 1 - procrustes(circle(degrees), PCA(2, svd_solver="full").fit_transform(axes))[2]


def gram_r_squared(axes, degrees):
    """The same, quicker."""
    centred = axes - axes.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    plane = u[:, :2] * s[:2]
    target = circle(degrees)
    target = target - target.mean(0)
    cross = (target / np.linalg.norm(target)).T @ (plane / np.linalg.norm(plane))
    return np.linalg.svd(cross, compute_uv=False).sum() ** 2


cases = []
for strength in (0.0, 0.4, 1.5):
    axes = rng.normal(size=(10, 12)) / np.sqrt(12)
    axes[:, :2] += strength * circle(EVEN)
    axes = unit(axes + 0.3).astype(np.float32).astype(np.float64)
    cases.append(
        {
            "axes": axes.tolist(),
            "even": r_squared(axes, EVEN),
            "wedges": r_squared(axes, WEDGES),
            "explained": PCA(2, svd_solver="full").fit(axes).explained_variance_ratio_.tolist(),
        }
    )

nulls = []
for n_embd in (16, 576):
    even, wedges = [], []
    for _ in range(4000):
        axes = unit(rng.normal(size=(10, n_embd)))
        even.append(gram_r_squared(axes, EVEN))
        wedges.append(gram_r_squared(axes, WEDGES))
    nulls.append(
        {
            "n_embd": n_embd,
            "even": [np.mean(even), *np.quantile(even, [0.025, 0.975])],
            "wedges": [np.mean(wedges), *np.quantile(wedges, [0.025, 0.975])],
        }
    )
    print(nulls[-1])

out = pathlib.Path(__file__).with_name("circle_reference.json")
out.write_text(json.dumps({"cases": cases, "nulls": nulls}) + "\n")
