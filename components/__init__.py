"""Components of continuous training, each usable alone in any Kubeflow pipeline.

Importing this package imports nothing else: the first use of a component imports its face, and with it kfp. A
component's libraries load where it runs.
"""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

# The list that editors, type checkers and people read; a test holds it to the folders.
if TYPE_CHECKING:
    from .check_serving.component import check_serving as check_serving
    from .compute_statistics.component import compute_statistics as compute_statistics
    from .deploy_model.component import deploy_model as deploy_model
    from .evaluate_model.component import evaluate_model as evaluate_model
    from .ingest_predictions.component import ingest_predictions as ingest_predictions
    from .ingest_spans.component import ingest_spans as ingest_spans
    from .join_labels.component import join_labels as join_labels
    from .monitor_model.component import monitor_model as monitor_model
    from .notify_outcome.component import notify_outcome as notify_outcome
    from .predict_batch.component import predict_batch as predict_batch
    from .push_model.component import push_model as push_model
    from .resolve_champion.component import resolve_champion as resolve_champion
    from .train_model.component import train_model as train_model
    from .transform_features.component import transform_features as transform_features
    from .validate_examples.component import validate_examples as validate_examples
    from .watch_rollout.component import watch_rollout as watch_rollout

__all__ = sorted(face.parent.name for face in Path(__file__).parent.glob("*/component.py"))


class _Components(ModuleType):
    """Keeps a component's name for the component, although the folder that it lives in has the same name."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Whoever imports a module of a component's folder makes Python bind the folder here.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        from .lib.lean_imports import enter_lean

        # kfp's client, which nothing here uses, takes two lines of it.
        enter_lean("kubernetes", "kubernetes.client")
        component = getattr(importlib.import_module(f"{__name__}.{name}.component"), name)
        setattr(self, name, component)
        return component

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Components

# Where kfp runs a task it sets this. The process is the task's alone, so its libraries may load less.
if os.environ.get("_KFP_RUNTIME") == "true":
    from .lib.garbage_collection import collect_seldom
    from .lib.lean_imports import defer_unused

    collect_seldom()
    defer_unused()
