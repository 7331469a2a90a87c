"""TFMA's result files, read and compared."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from google.protobuf.message import Message


def read(folder: Path) -> dict[Any, Message]:
    """Every metric and plot by slice and key."""
    found: dict[Any, Message] = {}
    for kind, load, field in (
        ("metric", tfma.load_metrics, "metric_keys_and_values"),
        ("plot", tfma.load_plots, "plot_keys_and_values"),
    ):
        for proto in load(str(folder)):
            place = (kind, str(proto.slice_key))
            assert place not in found
            found[place] = proto.slice_key
            for name, value in getattr(proto, "metrics" if kind == "metric" else "plots").items():
                found[(*place, name)] = value
            for item in getattr(proto, field):
                found[(*place, str(item.key))] = item
    return found


def differences(a: Any, b: Any, tolerance: float, path: str = "") -> list[str]:
    """Name every field in which two protos differ by more than a relative tolerance."""
    if isinstance(a, Message):
        fields = {field.name: field for message in (a, b) for field, _ in message.ListFields()}
        return [
            difference
            for name in fields
            for difference in differences(
                getattr(a, name), getattr(b, name), tolerance, f"{path}.{name}"
            )
        ]
    if isinstance(a, float):
        same = math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) or (
            math.isnan(a) and math.isnan(b)
        )
        return [] if same else [f"{path}: {a!r}, {b!r}"]
    if isinstance(a, str | bytes | int | bool):
        return [] if a == b else [f"{path}: {a!r}, {b!r}"]
    if len(a) != len(b):
        return [f"{path}: {len(a)} and {len(b)} entries"]
    return [
        difference
        for i, (x, y) in enumerate(zip(a, b, strict=True))
        for difference in differences(x, y, tolerance, f"{path}[{i}]")
    ]


def failures(result: tfma.ValidationResult) -> set[tuple[str, str, str, float]]:
    return {
        (
            str(per_slice.slice_key),
            str(failure.metric_key),
            str(failure.metric_threshold),
            np.round(failure.metric_value.double_value.value, 9),
        )
        for per_slice in result.metric_validations_per_slice
        for failure in per_slice.failures
    }
