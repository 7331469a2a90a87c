"""Windows of a few rows, as the checks see them, without a component that runs."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.lib.statistics.statistics_artifact import StatisticsIndex
from retrainer.components.validate_examples.window import Window


def dataset(*frames: pd.DataFrame) -> Dataset:
    return Dataset(tfdv.generate_statistics_from_dataframe(pd.concat(frames, ignore_index=True)))


@pytest.fixture(scope="session")
def analysis() -> Callable[..., Any]:
    """A function that makes the analysis of spans; other parts of it are given by name."""

    def make(spans: dict[str, pd.DataFrame], label: str = "y", **parts: Any) -> Any:
        names = list(spans)
        frames = list(spans.values())
        index = StatisticsIndex(
            label, (), tuple(names), {"train": tuple(names[:-1]), "eval": (names[-1],)}
        )
        window = Window(
            index,
            {"train": dataset(*(frames[:-1] or frames)), "eval": dataset(frames[-1])},
            {name: dataset(frame) for name, frame in spans.items()},
            {name: dataset(*frames[:i]) for i, name in enumerate(names) if i},
        )
        return SimpleNamespace(window=window, **parts)

    return make
