"""What the components themselves would refuse of a retrain.yaml, told before anything runs."""

from ..components.ingest_spans.settings import IngestSettings, check_query, parse_csv_options
from ..components.ingest_spans.sources.interface import SourceOptions
from ..components.lib.spans import check_pattern
from ..components.validate_examples.settings import parse_settings
from .config import RetrainConfig


def check_settings(config: RetrainConfig) -> None:
    """Check what needs no data: the pattern, how CSV is written, columns that contradict each other, thresholds.

    Args:
        config: The configuration.

    Raises:
        RetrainerError: If a component would refuse it.
    """
    data = config.data
    check_pattern(data.pattern, data.marker)
    IngestSettings(
        label=data.label,
        key=tuple(data.key),
        drop=tuple(data.drop),
        hash=tuple(data.hash),
        split=data.split,
        split_by=tuple(data.split_by),
        eval_fraction=data.eval_fraction,
        types=data.types,
        source=SourceOptions(format=data.format, **parse_csv_options(data.csv.model_dump())),
    ).check()
    check_query(data.query, data.pattern)
    parse_settings(**config.validation.model_dump(exclude={"schema_uri"}))
