"""Components of continuous training, each usable alone in any Kubeflow pipeline.

Importing this package imports kfp alone: a component's libraries load where it runs.
"""

import os

# Where kfp runs a task it sets this, and then has no dsl.component: the work is imported there, not the faces.
if os.environ.get("_KFP_RUNTIME") != "true":
    from .lib.lean_imports import enter_lean

    # kfp's client, which nothing here uses, takes two lines of it.
    enter_lean("kubernetes", "kubernetes.client")

    from .check_serving.component import check_serving
    from .compute_statistics.component import compute_statistics
    from .evaluate_model.component import evaluate_model
    from .ingest_spans.component import ingest_spans
    from .notify_outcome.component import notify_outcome
    from .push_model.component import push_model
    from .resolve_champion.component import resolve_champion
    from .train_model.component import train_model
    from .transform_features.component import transform_features
    from .validate_examples.component import validate_examples

__all__ = [
    "check_serving",
    "compute_statistics",
    "evaluate_model",
    "ingest_spans",
    "notify_outcome",
    "push_model",
    "resolve_champion",
    "train_model",
    "transform_features",
    "validate_examples",
]
