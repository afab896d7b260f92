"""Writes statistics_reference.json: AUROC, quantiles and classification scores by scikit-learn and numpy.

    python make_statistics_reference.py        (needs numpy and scikit-learn)
"""

import json
import pathlib

import numpy as np
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

rng = np.random.default_rng(11)

auroc = []
for n, levels in [(2, 0), (25, 0), (40, 4), (200, 10), (30, 1)]:
    positive = (rng.random(n) < 0.4).astype(int)
    positive[:2] = [0, 1]
    scores = rng.normal(size=n) + 0.7 * positive
    if levels:  # few distinct scores: many ties
        scores = np.floor(np.clip(scores, -2, 2) * levels / 4)
    weights = rng.integers(0, 4, size=n)
    weights[:2] = 1
    auroc.append(
        {
            "scores": scores.tolist(),
            "positive": positive.tolist(),
            "weights": weights.tolist(),
            "value": float(roc_auc_score(positive, scores)),
            "weighted": float(roc_auc_score(positive, scores, sample_weight=weights)),
        }
    )

quantiles = []
for n in (1, 2, 3, 10, 201):
    values = rng.normal(size=n)
    for q in (0.0, 0.025, 0.25, 0.5, 0.975, 1.0):
        quantiles.append({"values": values.tolist(), "q": q, "value": float(np.quantile(values, q))})

classification = []
for n, p in [(10, 0.5), (50, 0.2), (7, 0.9)]:
    truth = (rng.random(n) < p).astype(int)
    predicted = (rng.random(n) < 0.5).astype(int)
    truth[0] = predicted[0] = 1
    classification.append(
        {
            "truth": truth.tolist(),
            "predicted": predicted.tolist(),
            "precision": float(precision_score(truth, predicted)),
            "recall": float(recall_score(truth, predicted)),
            "f1": float(f1_score(truth, predicted)),
        }
    )

out = pathlib.Path(__file__).with_name("statistics_reference.json")
out.write_text(json.dumps({"auroc": auroc, "quantiles": quantiles, "classification": classification}) + "\n")
