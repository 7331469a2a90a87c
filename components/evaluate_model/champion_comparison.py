"""Comparing the champion with a challenger on eval rows that may not suit it.

Since the champion was trained, the data may have changed: a column has missing values, is missing, or has another
type. One rule decides: a row counts if a server with the champion could answer it. Missing text and missing
floating-point numbers are valid inputs; a missing integer, a fraction for an integer, and text for a number (or the
reverse) are errors. No value is truncated or filled in so that a row fits.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.evaluation.eval_config import BASELINE, CANDIDATE
from ..lib.evaluation.input_counts import InputCounts
from ..lib.evaluation.input_rules import UNDEFINED
from ..lib.evaluation.metric_requirements import Requirement
from ..lib.evaluation.slices import OVERALL
from ..lib.examples import BATCH_ROWS, EVAL, Examples, SpanPart
from ..lib.features import STRING, find_fitting, is_text
from ..lib.parquet_reader import open_parquet
from ..lib.saved_models.saved_model import Model
from ..lib.uris import join
from ..lib.verdicts import Champion
from ..lib.words import name_spans
from .gate import Verdict, judge
from .tfma_results import Evaluation

LEAST_SHARE = 0.5
"""The least share of the eval rows that the champion must be able to answer to be compared. On fewer, the comparison
would depend on the rows, not on the models."""
ALL_ROWS = "all_rows"
"""Folder in the evaluation for the result on all rows, if the champion was compared on some of them."""
_WHOLE = "all"
"""What SpanPart calls a part that is a whole span, not one side of a hash split."""


class ChampionUnfitError(Exception):
    """The champion can't be judged on the eval rows, but the challenger can."""


@dataclass(frozen=True)
class Comparison:
    """What the challenger is compared with, and on which rows.

    Attributes:
        champion: The champion. Without a `uri` it is not compared, and the value thresholds decide alone.
        examples: The examples; their eval split has the rows that the champion can take.
        remarks: What is unusual about the comparison, one clause each.
        is_partial: Whether the champion can answer only some of the rows. Then the challenger must also pass its
            value thresholds on all of them.
    """

    champion: Champion
    examples: Examples
    remarks: tuple[str, ...] = ()
    is_partial: bool = False


@dataclass(frozen=True)
class _FittingRows(SpanPart):
    """The rows of a part that a model can take.

    Attributes:
        kinds: The model's inputs that some rows do not fit, with the types that it takes.
    """

    kinds: Mapping[str, str] = field(default_factory=dict)

    def read_table(self, columns: Sequence[str] | None = None) -> pa.Table:
        return pa.Table.from_batches(list(self.iter_batches(columns)))

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        wanted = None if columns is None else list(dict.fromkeys([*columns, *self.kinds]))
        for batch in super().iter_batches(wanted, rows):
            fits = np.ones(batch.num_rows, bool)
            for name, kind in self.kinds.items():
                fits &= find_fitting(_column(batch, name), kind)
            kept = batch.filter(pa.array(fits))
            names = [name for name in kept.schema.names if columns is None or name in columns]
            if kept.num_rows:
                yield pa.RecordBatch.from_arrays([kept.column(name) for name in names], names=names)


def compare_with(examples: Examples, champion: Champion, model: Model | None) -> Comparison:
    """Decide how the champion is compared with a challenger.

    Args:
        examples: The examples; the eval split is judged on.
        champion: The champion.
        model: Its SavedModel; None if there is no champion.

    Returns:
        The comparison.

    Raises:
        RetrainerError: If the champion takes the label as a feature.
    """
    if model is None:
        return Comparison(champion, examples)
    if examples.label in model.columns:
        raise RetrainerError(
            f"the {champion.name} takes '{examples.label}', the label, as a feature, so its scores are "
            "meaningless. Take it out of service with 'retrainer models retire'."
        )
    parts, problems = _fitting_parts(examples, model)
    total, able = examples.rows(EVAL), sum(part.rows for part in parts)
    words = "; ".join(problems)
    if total and able < LEAST_SHARE * total:
        on = "no row" if not able else f"only {able:,} of {total:,} rows"
        return without_champion(examples, champion, f"{champion.name} can answer {on} ({words})")
    remarks = []
    if remark := empty_columns(examples, model):
        remarks.append(remark)
    if able < total:
        remarks.append(
            f"compared on {able:,} of {total:,} rows, since {champion.name} can't answer the others ({words})"
        )
        examples = replace(examples, splits={**examples.splits, EVAL: tuple(parts)})
    for remark in (_seen_before(examples, champion), _changed_since(examples, champion)):
        if remark:
            remarks.append(remark)
    return Comparison(champion, examples, tuple(remarks), able < total)


def empty_columns(examples: Examples, model: Model) -> str:
    """Describe the model's columns that no eval row has, which it gets empty.

    The schema allows such a column to be missing; otherwise validate_examples stops the run.

    Returns:
        A clause; empty if there is no such column.
    """
    have = {name for part in examples.splits[EVAL] for name in _types(part)}
    gone = [f"'{name}'" for name in model.columns if name not in have]
    if not gone:
        return ""
    words = " and ".join(gone)
    return f"{model.who} is judged with {words} empty: no eval row has a value"


def without_champion(examples: Examples, champion: Champion, why: str) -> Comparison:
    """Judge the challenger alone, though there is a champion.

    Args:
        examples: The examples.
        champion: The champion; its version is kept, as the model would replace it.
        why: Why it can't be compared; only the first sentence is used.
    """
    reason = why.partition(". ")[0].removeprefix("the ")
    remark = f"{reason}, so the value thresholds decide alone"
    return Comparison(replace(champion, uri=None), examples, (remark,))


def has_no_answer(counts: InputCounts) -> bool:
    """Return whether the champion has no answer: NaN, no output for a class, or other outputs than the challenger."""
    for of_output in (counts.by_output or {"": counts}).values():
        rules = [UNDEFINED, Requirement.KNOWN_CLASSES]
        if of_output.outputs.get(BASELINE) != of_output.outputs.get(CANDIDATE):
            rules += [Requirement.CLASSES, Requirement.ONE_OUTPUT]
        if any(f"{rule}|{BASELINE}" in of_output.found for rule in rules):
            return True
    return False


def silent_rows(counts: InputCounts) -> int:
    """Count the eval rows on which the champion predicts NaN or infinity, which is no answer."""
    found = counts.found.get(f"{UNDEFINED}|{BASELINE}")
    return found.rows if found else 0


def without_silent_rows(comparison: Comparison, rows: int) -> Comparison:
    """Note that the models were compared on the rows that the champion has an answer for.

    Args:
        comparison: What the challenger is compared with.
        rows: How many rows the champion has no answer for.
    """
    total = comparison.examples.rows(EVAL)
    remark = (
        f"compared on {total - rows:,} of {total:,} rows, since {comparison.champion.name} predicts NaN or infinity "
        "on the others"
    )
    return replace(comparison, remarks=(*comparison.remarks, remark), is_partial=True)


def judge_in_part(evaluation: Evaluation, champion: Champion, everything: Evaluation) -> Verdict:
    """Judge a challenger by its changes on the rows that the champion can take, and by its values on all rows.

    A slice without rows that the champion can answer has no change to judge.

    Args:
        evaluation: Challenger and champion on the rows that the champion can take.
        champion: The champion.
        everything: The challenger on all rows.

    Returns:
        The verdict: blessed if both are good.
    """
    changes = [check for check in evaluation.checks if check.is_change and check.value is not None]
    values = [check for check in everything.checks if not check.is_change]
    parts = [(evaluation, changes, champion), (everything, values, replace(champion, uri=None))]
    verdicts = [
        judge(replace(one, checks=checks, valid=not any(c.failed for c in checks)), against)
        for one, checks, against in parts
        # If no change can be judged, the values decide.
        if any(not check.not_judged or check.slice == OVERALL for check in checks)
    ]
    if not verdicts:
        return judge(replace(evaluation, checks=[]), champion)
    refused = [verdict for verdict in verdicts if not verdict.blessed]
    if not refused:
        return verdicts[0]
    reasons = tuple(reason for verdict in refused for reason in verdict.reasons)
    return Verdict(False, reasons, "; ".join(verdict.summary for verdict in refused))


def _seen_before(examples: Examples, champion: Champion) -> str:
    """Describe the eval spans that the champion trained on, which is an advantage.

    That happens if a run of an older span is allowed, or if the window or `eval_spans` changed. A hash split by
    key keeps the eval rows of the same spans out of training.
    """
    whole = [part.span for part in examples.splits[EVAL] if part.part == _WHOLE]
    trained = [span for span in dict.fromkeys(whole) if span in champion.train_spans]
    if not trained:
        return ""
    return f"{champion.name} trained on eval rows (spans {name_spans(trained)}), which favours it"


def _changed_since(examples: Examples, champion: Champion) -> str:
    """Describe eval spans that have other rows than when the champion was judged on them.

    The models are compared on the rows of now; the metrics that the registry keeps of the champion are of others.
    """
    spans = examples.span_names(EVAL)
    changed = [
        span
        for span in spans
        if span in champion.eval_versions
        and examples.versions.get(span, champion.eval_versions[span])
        != champion.eval_versions[span]
    ]
    judged = f"{champion.name} was judged on them, and both models are compared on the new rows"
    if changed:
        return f"the eval spans {name_spans(changed)} changed since {judged}"
    rows = examples.rows(EVAL)
    if champion.eval_rows not in (None, rows) and tuple(spans) == champion.eval_spans:
        return f"the eval spans had {champion.eval_rows:,} rows and not {rows:,} when {judged}"
    return ""


def _fitting_parts(examples: Examples, model: Model) -> tuple[list[SpanPart], list[str]]:
    """Find the rows of the eval split that a model can answer, and describe the others."""
    parts: list[SpanPart] = []
    bad: Counter[str] = Counter()
    seen: dict[str, set[str]] = {}
    for part in examples.splits[EVAL]:
        types = _types(part)
        doubtful = {
            name: kind for name, kind in model.kinds.items() if _may_not_fit(types.get(name), kind)
        }
        able = part.rows if not doubtful else 0
        for batch in part.iter_batches([examples.label, *doubtful]) if doubtful else ():
            fits = np.ones(batch.num_rows, bool)
            for name, kind in doubtful.items():
                column = _column(batch, name)
                one = find_fitting(column, kind)
                fits &= one
                if not one.all():
                    bad[name] += int(np.count_nonzero(~one))
                    seen.setdefault(name, set()).update(_reasons(column, one, kind))
            able += int(np.count_nonzero(fits))
        if able == part.rows:
            parts.append(part)
        elif able:
            values = {**vars(part), "rows": able}
            parts.append(_FittingRows(**values, kinds=doubtful))
    total = examples.rows(EVAL)
    problems = [
        f"'{name}' is {' or '.join(sorted(seen[name]))} in {count:,} of {total:,} rows, and it takes "
        f"{model.kinds[name]}"
        for name, count in bad.items()
    ]
    return parts, problems


def _may_not_fit(found: pa.DataType | None, kind: str) -> bool:
    """Return whether a column of a type may have cells that an input rejects."""
    is_integer = kind != STRING and not np.issubdtype(np.dtype(kind), np.floating)
    if found is None or pa.types.is_null(found):
        return is_integer
    return is_integer or is_text(found) != (kind == STRING)


def _reasons(column: pa.Array, fits: np.ndarray, kind: str) -> set[str]:
    missing = column.is_null().to_numpy(zero_copy_only=False)
    found = set()
    if (missing & ~fits).any():
        found.add("missing")
    if (~missing & ~fits).any():
        if is_text(column.type) != (kind == STRING):
            found.add("text" if is_text(column.type) else "a number")
        else:
            found.add("not a whole number")
    return found


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    return batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows)


def _types(part: SpanPart) -> dict[str, pa.DataType]:
    """Return the types of a part's columns, from its first file."""
    for file in part.files[:1]:
        with open_parquet(join(part.uri, file)) as parquet:
            return {column.name: column.type for column in parquet.schema_arrow}
    return {}
