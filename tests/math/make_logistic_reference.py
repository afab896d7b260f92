"""Writes logistic_reference.json: what scikit-learn finds for small logistic regressions.

    python make_logistic_reference.py        (needs numpy and scikit-learn)
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

N_SAMPLE, N_FEATURE, N_OUTPUT = 60, 5, 3

rng = np.random.default_rng(7)
# Features of different scales, one constant.
samples = rng.normal(size=(N_SAMPLE, N_FEATURE)) * [1.0, 20.0, 0.05, 3.0, 0.0] + [0.0, 100.0, 0.0, -2.0, 0.1]
scaler = StandardScaler().fit(samples)
scaled = scaler.transform(samples)
margins = scaled @ rng.normal(size=(N_FEATURE, N_OUTPUT)) * 1.5 + [0.0, -1.0, 1.5]
labels = (rng.random((N_SAMPLE, N_OUTPUT)) < 1 / (1 + np.exp(-margins))).astype(int)
labels[rng.random((N_SAMPLE, N_OUTPUT)) < 0.1] = -1  # not stated
weights = np.round(rng.random(N_SAMPLE) * 3, 3)
weights[:3] = 0.0

cases = []
for c, balanced, weighted in [(1.0, False, False), (0.01, False, False), (100.0, False, True), (0.3, True, False), (0.3, True, True)]:
    coefficients, intercepts, probabilities = [], [], []
    for k in range(N_OUTPUT):
        stated = labels[:, k] >= 0
        model = LogisticRegression(C=c, class_weight="balanced" if balanced else None, solver="newton-cholesky", tol=1e-14, max_iter=1000)
        sample_weight = weights[stated] if weighted else None
        if balanced and weighted:
            # scikit-learn balances by counts of samples or by weights depending on its version: spell the weights out.
            y, w = labels[stated, k], weights[stated]
            per_class = np.array([w[y == 0].sum(), w[y == 1].sum()])
            model.set_params(class_weight=None)
            sample_weight = w * w.sum() / (2 * per_class[y])
        model.fit(scaled[stated], labels[stated, k], sample_weight=sample_weight)
        coefficients.append(model.coef_[0].tolist())
        intercepts.append(float(model.intercept_[0]))
        probabilities.append(model.predict_proba(scaled)[:, 1].tolist())
    cases.append(
        {
            "c": c,
            "balanced": balanced,
            "weighted": weighted,
            "weights": coefficients,
            "intercept": intercepts,
            "probabilities": np.array(probabilities).T.tolist(),
        }
    )

out = pathlib.Path(__file__).with_name("logistic_reference.json")
out.write_text(
    json.dumps(
        {
            "scikit_learn": sklearn.__version__,
            "samples": samples.tolist(),
            "labels": labels.tolist(),
            "sample_weights": weights.tolist(),
            "mean": scaler.mean_.tolist(),
            "scale": scaler.scale_.tolist(),
            "cases": cases,
        }
    )
    + "\n"
)
