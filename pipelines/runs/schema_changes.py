"""Changes that the newest data requires in a retrain.yaml's schema, and accepting them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...components.lib.errors import RetrainerError
from ...components.lib.runs.run_traces import VALIDATE, list_traces
from ...components.lib.schema_file import SchemaMovedError, rewrite
from ...components.lib.words import did_you_mean
from ...components.validate_examples.checks import known_kinds
from ...components.validate_examples.schema_accept import Change, Update, update_schema
from ...components.validate_examples.settings import parse_settings
from ...components.validate_examples.window import Window, read_window
from ..project.schemas import OpenedSchema, open_schema
from ..project.sections.retrain import RetrainConfig
from .record_store import LAST, find_run, list_runs
from .records import RunRecord

_TRIES = 5
# Kubeflow Pipelines' own object store, by the name that only its launcher knows.
_IN_CLUSTER = "minio://"


@dataclass(frozen=True)
class Data:
    """Statistics to compare a schema with.

    Attributes:
        name: What to call them.
        window: The statistics.
    """

    name: str
    window: Window


@dataclass(frozen=True)
class Selection:
    """Which anomalies to take into a schema.

    Attributes:
        columns: Of these columns; of all if empty.
        kinds: Of these kinds; of all if empty.
    """

    columns: Sequence[str] = ()
    kinds: Sequence[str] = ()

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Return whether the anomaly of a column and kind is selected."""
        column, kind = key
        return (not self.columns or column in self.columns) and (
            not self.kinds or kind in self.kinds
        )


def read_data(config: RetrainConfig, run_id: str, folder: str) -> Data:
    """Read the statistics of a run or of a folder.

    Args:
        config: The configuration, its paths absolute.
        run_id: A run that the store knows, on this machine or elsewhere; or `last` for the newest that computed
            statistics.
        folder: URI of a statistics artifact, in place of a run's; empty for none.

    Returns:
        The statistics.

    Raises:
        RetrainerError: If there is no such run, it has no statistics, or they are gone.
    """
    if folder:
        return Data(f"the statistics at {folder}", read_window(folder))
    there = _find_statistics(config.store, run_id)
    if there is None and run_id == LAST:
        raise RetrainerError(
            f"no run in '{config.store}' has statistics yet. Start a run ('retrainer run', 'retrainer submit'), or "
            "name a folder with statistics (--statistics URI)."
        )
    if there is None:
        find_run(config.store, run_id)
        raise RetrainerError(
            f"run '{run_id}' ended before compute_statistics did, so it has no statistics. Name another one (--run)."
        )
    if there.uri.startswith(_IN_CLUSTER):
        raise RetrainerError(
            f"the statistics of run '{there.run_id}' are in the cluster's own storage ('{there.uri}'), which this "
            "machine can't reach. Copy that folder to this machine and name the copy: --statistics FOLDER."
        )
    return Data(f"run {there.run_id}", read_window(there.uri))


def find_changes(config: RetrainConfig, opened: OpenedSchema, data: Data) -> tuple[Change, ...]:
    """List the changes that data would require in a schema.

    Args:
        config: The configuration, for its validation.
        opened: The schema.
        data: The data.

    Returns:
        The changes; none if the data fits.

    Raises:
        RetrainerError: If validation's settings do not fit the schema.
    """
    return _update(config, opened, data, Selection()).changes


def accept_changes(
    config: RetrainConfig, data: Data, selection: Selection, dry_run: bool
) -> tuple[Update, OpenedSchema, str]:
    """Write the changes that data requires into the schema's file.

    Args:
        config: The configuration.
        data: The data.
        selection: Which anomalies to take.
        dry_run: Whether to write nothing.

    Returns:
        What was taken, the schema as it stood before, and where that is kept now (empty if nothing was written).

    Raises:
        RetrainerError: If a selected column has no anomaly or does not exist, if none of the selected can be
            taken, or if the file keeps changing meanwhile.
    """
    for _ in range(_TRIES):
        opened = open_schema(config)
        _check_selection(selection, opened, data, find_changes(config, opened, data))
        update = _update(config, opened, data, selection)
        taken = [change for change in update.changes if not change.refused]
        if not taken and update.changes:
            raise RetrainerError(
                "\n  ".join(
                    ["none of these changes can be accepted:", *(c.line for c in update.changes)]
                )
            )
        if dry_run or not taken:
            return update, opened, ""
        try:
            kept = rewrite(opened.uri, opened.history_uri, opened.text, update.schema)
        except SchemaMovedError:
            # Somebody else changed it: what they wrote is what to start from.
            continue
        return update, opened, kept
    raise RetrainerError(
        f"'{opened.uri}' was changed by another process {_TRIES} times meanwhile. Try again."
    )


class _Statistics(NamedTuple):
    started: str
    run_id: str
    uri: str


def _find_statistics(store: str, run_id: str) -> _Statistics | None:
    """Find the statistics of a run, or of the newest one that has some, on whatever target it ran."""
    found = [
        _Statistics(record.started, record.run_id, uri)
        for record in list_runs(store)
        if (uri := _statistics_uri(record))
    ]
    local = {one.run_id for one in found}
    found += [
        _Statistics(trace.started, trace.key.name, uri)
        for trace in list_traces(store)
        if trace.key.name not in local and (uri := trace.noted(VALIDATE, "statistics"))
    ]
    return max((one for one in found if run_id in (LAST, one.run_id)), default=None)


def _statistics_uri(record: RunRecord) -> str:
    task = record.tasks.get("compute-statistics")
    artifact = task.output_artifacts.get("statistics") if task else None
    return artifact.uri if artifact and artifact.digest else ""


def _update(
    config: RetrainConfig, opened: OpenedSchema, data: Data, selection: Selection
) -> Update:
    settings = parse_settings(**config.validation.model_dump(exclude={"schema_uri"}))
    return update_schema(
        opened.schema, data.window, settings, lambda column, kind: (column, kind) in selection
    )


def _check_selection(
    selection: Selection, opened: OpenedSchema, data: Data, changes: Sequence[Change]
) -> None:
    there = ", ".join(dict.fromkeys(f"{c.column} ({c.kind.name})" for c in changes)) or "none"
    features = {
        feature.path.step[0] if feature.path.step else feature.name
        for dataset in data.window.splits.values()
        for feature in dataset.statistics.datasets[0].features
    }
    known = {feature.name for feature in opened.schema.feature} | features
    with_anomalies = {change.column for change in changes}
    for column in selection.columns:
        if column not in known | with_anomalies:
            hint = did_you_mean(column, known)
            raise RetrainerError(
                f"there is no column '{column}', neither in the schema nor in {data.name}.{hint} "
                f"Columns with anomalies: {there}."
            )
        if column not in with_anomalies:
            raise RetrainerError(
                f"'{column}' has no anomaly in {data.name}. Columns with anomalies: {there}."
            )
    for kind in selection.kinds:
        if kind not in known_kinds():
            raise RetrainerError(f"there is no kind '{kind}'. Columns with anomalies: {there}.")
    for column in selection.columns or ("",):
        of = Selection((column,) if column else (), selection.kinds)
        if selection.kinds and not any((c.column, c.kind.name) in of for c in changes):
            subject = f"'{column}' has" if column else "there is"
            raise RetrainerError(
                f"{subject} no anomaly of kind {' or '.join(selection.kinds)} in {data.name}. "
                f"Columns with anomalies: {there}."
            )
