"""Writes shape_reference.json: PCA by scikit-learn, Procrustes and correlations by scipy.

    python make_shape_reference.py        (needs numpy, scipy and scikit-learn)
"""

import json
import pathlib

import numpy as np
from scipy.spatial import procrustes
from scipy.stats import pearsonr, spearmanr
from sklearn.decomposition import PCA

rng = np.random.default_rng(7)

pca = []
for n, d, k, offset in [(10, 24, 3, 0.0), (10, 24, 2, 50.0), (4, 3, 3, 1.0), (12, 2, 2, 0.0)]:
    samples = rng.normal(size=(n, d)) * np.linspace(2, 0.5, d) + offset
    fitted = PCA(n_components=k, svd_solver="full")
    scores = fitted.fit_transform(samples)
    pca.append(
        {
            "samples": samples.tolist(),
            "k": k,
            "scores": scores.tolist(),  # up to sign
            "explained": fitted.explained_variance_ratio_.tolist(),
        }
    )


def case(name, target, points):
    _, fitted, disparity = procrustes(target, points)
    return {
        "name": name,
        "target": np.asarray(target, float).tolist(),
        "points": np.asarray(points, float).tolist(),
        "fitted": fitted.tolist(),
        "disparity": float(disparity),
    }


def turn(degrees):
    a = np.radians(degrees)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


cloud = rng.normal(size=(10, 2))
angles = np.radians(np.arange(10) * 36.0)
circle = np.stack([np.cos(angles), np.sin(angles)], 1)
wedges = np.radians([0, 40, 80, 80, 120, 160, 200, 240, 280, 320])
line = np.outer(np.arange(6.0), [1.0, 2.0])
cases = [
    case("unrelated", circle, cloud),
    case("wedges", np.stack([np.cos(wedges), np.sin(wedges)], 1), rng.normal(size=(10, 2))),
    case("noisy circle", circle, 3 * circle @ turn(25) + 0.3 * rng.normal(size=(10, 2)) + 4),
    case("turned, moved, scaled", cloud, 2.5 * cloud @ turn(130) + [3, -1]),
    case("mirrored", cloud, cloud @ turn(40) * [1, -1] * 0.2 + 7),
    case("noisy mirrored", cloud, cloud @ turn(40) * [1, -1] + 0.3 * rng.normal(size=(10, 2))),
    case("collinear points", rng.normal(size=(6, 2)), line),
    case("collinear both", line, line[::-1] ** 2 @ np.diag([1.0, 0.25])),
    case("three points", [[0, 0], [1, 0], [0, 2]], [[0, 1], [3, 1], [1, 1.5]]),
    case("three dimensions", rng.normal(size=(7, 3)), rng.normal(size=(7, 3))),
]

correlations = []
for n, levels in [(3, 0), (20, 0), (20, 3), (45, 0)]:
    a = rng.normal(size=n)
    b = 0.6 * a + rng.normal(size=n)
    if levels:  # ties
        a, b = np.round(a * levels) / levels, np.round(b * levels) / levels
    correlations.append(
        {
            "a": a.tolist(),
            "b": b.tolist(),
            "pearson": float(pearsonr(a, b)[0]),
            "spearman": float(spearmanr(a, b)[0]),
        }
    )

out = pathlib.Path(__file__).with_name("shape_reference.json")
out.write_text(json.dumps({"pca": pca, "procrustes": cases, "correlations": correlations}) + "\n")
