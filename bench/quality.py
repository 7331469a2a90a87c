"""What an evaluation found: that both did the same work shows in the same numbers."""

import logging
import os
import warnings
from pathlib import Path

NAMES = {"example_count": "rows evaluated", "auc": "AUC", "binary_accuracy": "accuracy"}


def read_quality(folder: Path) -> list[dict[str, float]]:
    """Read the evaluations below a folder, oldest first.

    Args:
        folder: Where a pipeline left its artifacts.

    Returns:
        For each, the metrics over all rows by the names that the bench shows.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # They warn of a model without plots, of a function of their own, of a checksum not needed.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore", FutureWarning)
    import tensorflow_model_analysis as tfma

    found = sorted(folder.rglob("eval_config.json"), key=lambda path: path.stat().st_mtime)
    qualities = []
    for config in found:
        for model in ("", tfma.CANDIDATE_KEY):
            result = tfma.load_eval_result(str(config.parent), model_name=model)
            overall = result.get_metrics_for_all_slices().get((), {})
            values = {NAMES[name]: value for name, value in overall.items() if name in NAMES}
            if values:
                qualities.append({name: float(v["doubleValue"]) for name, v in values.items()})
                break
    return qualities
