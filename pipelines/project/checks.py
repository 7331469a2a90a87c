"""What is wrong with a retrain.yaml that needs no data to be found: all of it, each with its line."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.evaluation.config_checks import Problem, metric_columns
from ...components.lib.evaluation.eval_specs import read_specs, settings_problems
from ...components.lib.registry.registry import CHAMPION, Registry
from ...components.lib.source_rows.csv_options import parse_csv_options
from ...components.lib.source_rows.settings import IngestSettings, check_query
from ...components.lib.source_rows.sources.options import SourceOptions
from ...components.lib.spans.span_discovery import check_pattern, find_spans
from ...components.lib.statistics.option_checks import check_options
from ...components.lib.store import Store
from ...components.lib.uris import is_local
from ...components.lib.words import did_you_mean
from ...components.validate_examples.settings import parse_settings
from .config import LoadedConfig
from .engine_reach import reach_problems
from .gate_checks import gate_problems
from .model_checks import check_module, model_problems
from .output_checks import output_problems
from .place_checks import place_problems
from .reach import reading_tasks, source_pattern, store_tasks
from .schemas import open_schema
from .sections.deploy.deploy import DeployConfig, ReadsTheStore
from .sections.monitoring.monitoring import MonitoringConfig
from .sections.retrain import RetrainConfig
from .yaml_places import parse_place

# What a table of predictions has beside the columns that the model was asked with.
_OF_LOGS, _PREDICTION = ("request_id", "row"), "prediction"
_PLACE = re.compile(
    r"\b(?!model\.py\b)(?:data|validation|evaluation|model|serving|statistics|gate)\.[a-z_]+(?:\.\w+|\[\d+\])*"
)


def check_settings(loaded: LoadedConfig, here: bool = False) -> list[str]:
    """Check what needs no data: settings, metrics, thresholds, columns against the schema, the model's functions.

    Args:
        loaded: The configuration.
        here: Whether the pipeline runs on this machine now, so that data and code must be here.

    Returns:
        Warnings, a line each: with these the pipeline runs, and does less than its author may think.

    Raises:
        RetrainerError: If a component would refuse something; every such problem is named with its line.
    """
    problems = list(dict.fromkeys(_find_problems(loaded, here)))
    if stopping := [name_problem(problem, loaded) for problem in problems if problem.stops]:
        raise RetrainerError("\n".join(stopping))
    return [name_problem(problem, loaded) for problem in problems]


def _find_problems(loaded: LoadedConfig, here: bool) -> Iterator[Problem]:
    config = loaded.config
    of_data = list(_data_problems(config))
    yield from of_data
    if any(problem.stops and "data.columns" in problem.text for problem in of_data):
        # What follows asks which columns there are.
        return
    yield from _refusals("statistics", lambda: check_options(config.statistics.stats_options))
    yield from output_problems(config)
    yield from _predict_problems(config)
    yield from _refusals("validation", lambda: _parse_validation(config))
    yield from _deployment_problems(config)
    yield from place_problems(config)
    yield from reach_problems(loaded, here)
    if config.retraining and not config.monitoring:
        yield Problem(
            "retraining starts runs for incidents of monitoring, and there is no section monitoring: add 'monitoring: "
            "{}', or leave retraining out.",
            False,
            "retraining",
        )
    # What no task of the pipeline reads need not be here.
    trains = "train_model" in store_tasks(loaded)
    if loaded.module_source:
        for text in model_problems(loaded.module_source, config.model.module):
            yield Problem(text, place="model.module")
    elif here and trains:
        yield from _refusals("model.module", lambda: check_module(loaded.module))
    if here and trains:
        yield from _uncacheable(loaded)
    columns, schema_problems = _schema_columns(config)
    yield from schema_problems
    for problem in _evaluation_problems(config, columns):
        # Its warnings are on what the gate does.
        if trains or problem.stops:
            yield problem
    if columns:
        yield from _column_problems(config, columns)
    (section, _), pattern = source_pattern(loaded)
    marker = (config.predict.marker if section == "predict" and config.predict else None) or (
        config.data.marker if section == "data" else None
    )
    if reading_tasks(loaded) and is_local(pattern):
        setting = f"{section}.pattern"
        for problem in _refusals(setting, lambda: find_spans(pattern, marker or "")):
            text = problem.text.replace("data.pattern", setting)
            yield dataclasses.replace(problem, text=text, stops=here)


def _uncacheable(loaded: LoadedConfig) -> Iterator[Problem]:
    """Describe the code that can't be followed, so that the tasks that run it are not cached here."""
    from ...components.lib.user_code.user_code_digest import code_behind

    of_model = code_behind({"module": loaded.module, "module_source": loaded.module_source})
    of_metrics = code_behind({"metrics_specs": loaded.config.evaluation.metrics_specs})
    for code, place, tasks in (
        (of_model, "model.module", "transform_features and train_model are"),
        (of_metrics, "evaluation.metrics_specs", "evaluate_model is"),
    ):
        for sentence in code.unseen:
            text = (
                f"{sentence}; {tasks} run in each run, since a change of it would not be noticed."
            )
            yield Problem(text, place=place, stops=False)


def _predict_problems(config: RetrainConfig) -> Iterator[Problem]:
    predict = config.predict
    if predict is None or predict.pattern is None:
        return
    pattern, marker, query = predict.pattern, predict.marker or "", predict.query or ""
    yield from _refusals("predict.pattern", lambda: check_pattern(pattern, marker))
    for problem in _refusals("predict.query", lambda: check_query(query, pattern)):
        text = problem.text
        for key in ("query", "pattern"):
            text = text.replace(f"data.{key}", f"predict.{key}")
        yield dataclasses.replace(problem, text=text)


def _data_problems(config: RetrainConfig) -> Iterator[Problem]:
    data = config.data
    yield from _refusals("data.pattern", lambda: check_pattern(data.pattern, data.marker or ""))
    yield from _refusals("data.query", lambda: check_query(data.query or "", data.pattern))
    csv: dict[str, Any] = {}
    said = data.csv.model_dump(exclude_unset=True, exclude_none=True)
    yield from _refusals("data.csv", lambda: csv.update(parse_csv_options(said)))
    settings = IngestSettings(
        label=data.label,
        label_keys=data.label_keys,
        weight=config.evaluation.example_weight_key or "",
        key=tuple(data.key),
        key_features=tuple(data.key_features),
        columns=data.columns,
        drop=tuple(data.drop),
        hash=tuple(data.hash.columns),
        split=data.split.by,
        split_by=tuple(data.split.columns),
        eval_fraction=data.split.eval_fraction,
        types=data.types,
        source=SourceOptions(format=data.format, **csv),
    )
    yield from _refusals("data", settings.check)


def _deployment_problems(config: RetrainConfig) -> Iterator[Problem]:
    """Describe what keeps the store's models from the services that they are deployed to."""
    for name in DeployConfig.model_fields:
        section = getattr(config.serving.deploy, name)
        if isinstance(section, ReadsTheStore):
            for place, text in section.misfits(config.store):
                yield Problem(text, place=place)


def _parse_validation(config: RetrainConfig) -> None:
    parse_settings(**config.validation.model_dump(exclude={"schema_uri"}))


def _evaluation_problems(config: RetrainConfig, columns: dict[str, None]) -> Iterator[Problem]:
    evaluation, data = config.evaluation, config.data
    problems = settings_problems(
        evaluation.metrics_specs,
        evaluation.slicing_specs,
        evaluation.options,
        data.label,
        evaluation.example_weight_key or "",
        None,
        data.outputs,
    )
    yield from gate_problems(config)
    for problem in problems:
        # A floor matters for the first model alone.
        if "there are change_thresholds only" not in problem.text or not _has_champion(config):
            yield problem
    for place, name in _evaluation_columns(config):
        if name in data.drop:
            yield Problem(
                f"{place} names the column '{name}', which data.drop leaves out. Take it out of one of the two."
            )
        elif columns and name not in columns and name not in data.labels:
            yield _unknown_column(place, name, columns)


def _column_problems(config: RetrainConfig, columns: dict[str, None]) -> Iterator[Problem]:
    data = config.data
    named = [("data.label", data.label)]
    named += [
        (f"data.label_keys.{output}", name)
        for output, labels in data.label_keys.items()
        for name in labels
    ]
    for place, names in (
        ("data.key", data.key),
        ("data.hash.columns", data.hash.columns),
        ("data.split.columns", data.split.columns),
    ):
        named += [(f"{place}[{i}]", name) for i, name in enumerate(names)]
    named += [(f"validation.domains.{name}", name) for name in config.validation.domains]
    for place, name in named:
        if name not in columns:
            yield _unknown_column(place, name, columns)
    if config.monitoring:
        # Logs may have columns of their own, beside those of the data.
        scored = (*(config.predict.key or ()), *config.predict.columns) if config.predict else ()
        logged = columns | dict.fromkeys(
            [*_OF_LOGS, *config.monitoring.predictions.mapping.columns, *scored]
        )
        for place, name in _monitored_columns(config.monitoring):
            if name not in logged and not name.startswith(_PREDICTION):
                new = "It counts only where the logs of predictions have it."
                # The logs, which are not read here, may have it all the same.
                yield dataclasses.replace(
                    _unknown_column(f"monitoring.{place}", name, logged, new), stops=False
                )


def _monitored_columns(monitoring: MonitoringConfig) -> Iterator[tuple[str, str]]:
    drift, labels = monitoring.drift, monitoring.labels
    for place, named in (
        ("drift.thresholds", drift.thresholds),
        ("drift.method.columns", drift.method.columns),
    ):
        yield from ((f"{place}.{name}", name) for name in named)
    for place, listed in (
        ("drift.ignore", drift.ignore),
        ("labels.key", labels.key or ()),
        ("labels.compare", labels.compare),
    ):
        yield from ((f"{place}[{i}]", name) for i, name in enumerate(listed))


def _unknown_column(
    place: str,
    name: str,
    columns: dict[str, None],
    new: str = "If the data has it, accept it into the schema.",
) -> Problem:
    near = did_you_mean(name, columns)
    text = f"{place} names the column '{name}', which the schema does not have.{near}"
    # A column that is like none may be one that the newest data brings.
    return Problem(
        text if near else f"{text} {new}",
        stops=bool(near),
        place=place,
    )


def _evaluation_columns(config: RetrainConfig) -> Iterator[tuple[str, str]]:
    evaluation = config.evaluation
    for i, spec in enumerate(evaluation.slicing_specs):
        values = spec.get("feature_values")
        names = [
            *_texts(spec.get("feature_keys")),
            *(values if isinstance(values, dict) else ()),
        ]
        yield from ((f"evaluation.slicing_specs[{i}]", name) for name in names)
    read, _ = read_specs(evaluation.metrics_specs, (), {})
    yield from ((place, name) for name, place in metric_columns(read))
    if evaluation.example_weight_key:
        yield "evaluation.example_weight_key", evaluation.example_weight_key
    if config.gate.cluster:
        yield "gate.cluster", config.gate.cluster


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _schema_columns(config: RetrainConfig) -> tuple[dict[str, None], list[Problem]]:
    """Return the columns of the schema, if this machine can read one, and what is wrong with it."""
    curated = config.validation.schema_uri
    if not is_local(curated or config.store):
        return {}, []
    place = "validation.schema_uri" if curated else "store"
    try:
        schema = open_schema(config).schema
    except FileNotFoundError:
        return {}, []
    except RetrainerError as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        return {}, [] if missing and not curated else [Problem(str(error), place=place)]
    except OSError as error:
        return {}, [Problem(f"the schema can't be read: {error}.", place=place)]
    return dict.fromkeys(feature.name for feature in schema.feature), []


def _has_champion(config: RetrainConfig) -> bool:
    if not is_local(config.store):
        # A service may be asked for it for minutes; its first model is the rarer case.
        return True
    try:
        return Registry(Store(config.store).models_uri).resolve(CHAMPION) is not None
    except (RetrainerError, OSError, ValueError):
        return True


def _refusals(place: str, check: Callable[[], object]) -> Iterator[Problem]:
    try:
        check()
    except RetrainerError as error:
        yield Problem(str(error), place=place)


def name_problem(problem: Problem, loaded: LoadedConfig) -> str:
    """Put the line before a problem: of the setting that its text names, else of its place.

    Args:
        problem: The problem.
        loaded: The configuration that has it.
    """
    found = _PLACE.search(problem.text)
    place = problem.place if problem.place.count(".") > 0 or not found else found.group()
    return f"{loaded.places.locate(parse_place(place))}: {problem.text}"
