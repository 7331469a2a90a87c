"""What findings are about: the class of a kind, and the kinds that TFDV's anomalies have in common with checks.

A kind that one check alone reports stands in the module of that check.
"""

from dataclasses import dataclass

ERROR, WARNING, IGNORE = "error", "warning", "ignore"
EXCLUDE = "`retrainer spans exclude SPAN --why REASON`"
"""The command that leaves a span out."""


@dataclass(frozen=True)
class FindingKind:
    """A kind of finding.

    Attributes:
        name: Its name in `validation.severity` and in `anomalies.json`.
        title: Its name in reports and messages.
        severity: `error` or `warning`, unless the settings choose another.
        fix: How to fix it.
        about: What is reported, for the table in the README.
        in_schema: Whether a change of the schema can fix it; other kinds are accepted by their severity.
        blocks_freezing: Whether an error of this kind keeps a first run from freezing the schema that it inferred,
            whichever rows it is about.
    """

    name: str
    title: str
    severity: str
    fix: str
    about: str
    in_schema: bool = False
    blocks_freezing: bool = False

    def acceptance(self, column: str = "") -> str:
        """Name the setting that accepts this kind, in one column if a column is given."""
        path = f"columns.{column}.{self.name}" if column else self.name
        return f"validation.severity.{path}: {IGNORE}"


MISSING_COLUMN = FindingKind(
    "missing_column",
    "missing column",
    ERROR,
    "restore the column in the source, or, if it is gone for good, set `lifecycle_stage: DEPRECATED` in the schema",
    "a column of the schema is missing, or empty",
    in_schema=True,
)
NEW_COLUMN = FindingKind(
    "new_column",
    "new column",
    WARNING,
    "add it to the schema to use it, or drop it",
    "a column that the schema lacks; it is not used",
    in_schema=True,
)
WRONG_TYPE = FindingKind(
    "wrong_type",
    "wrong type",
    ERROR,
    "correct the source, or change the column's `type` in the schema",
    "text for numbers, fractions for integers; a warning where the model takes floats anyway",
    in_schema=True,
)
MISSING_VALUES = FindingKind(
    "missing_values",
    "missing values",
    ERROR,
    "correct the source, or lower the column's `presence` in the schema",
    "more rows without a value than the schema's `presence.min_fraction` allows",
    in_schema=True,
)
UNEXPECTED_VALUES = FindingKind(
    "unexpected_values",
    "unexpected values",
    ERROR,
    "correct the source, or add the values to the column's domain in the schema",
    "values outside a text column's domain in more than 1 % of the rows (`min_domain_mass`)",
    in_schema=True,
)
OUT_OF_DOMAIN = FindingKind(
    "out_of_domain",
    "out of its domain",
    ERROR,
    "correct the source, or change the column's domain in the schema",
    "numbers outside their domain; a warning if the domain was inferred",
    in_schema=True,
)
WRONG_SHAPE = FindingKind(
    "wrong_shape",
    "wrong number of values in a cell",
    ERROR,
    "correct the source, or change the column's `shape` or `value_count` in the schema",
    "another number of values in a cell than the schema's `shape` or `value_count`",
    in_schema=True,
)
DISTINCT_VALUES = FindingKind(
    "distinct_values",
    "wrong number of distinct values",
    ERROR,
    "correct the source, or change the column's `unique_constraints` in the schema",
    "more or fewer distinct values than the schema's `unique_constraints`",
    in_schema=True,
)
INVALID_UTF8 = FindingKind(
    "invalid_utf8",
    "invalid UTF-8",
    ERROR,
    "write the source as UTF-8",
    "text that is not UTF-8 in a column with a domain",
)
NOT_A_NUMBER = FindingKind(
    "not_a_number",
    "NaN",
    ERROR,
    "correct the source, or remove `disallow_nan` from the column's domain",
    "NaN where the schema has `disallow_nan`",
    in_schema=True,
)
INFINITE = FindingKind(
    "infinite",
    "infinite values",
    ERROR,
    "correct the source, or leave the cells empty; a model can't use them",
    "infinite values in any span",
)
INVALID_SCHEMA = FindingKind(
    "invalid_schema",
    "invalid schema",
    ERROR,
    "correct the column in the schema by hand",
    "the schema contradicts itself about a column",
)
NOT_COMPARED = FindingKind(
    "not_compared",
    "comparator without effect",
    WARNING,
    "check that the earlier spans have the column, or remove its comparator from the schema",
    "a comparator of yours has no data on one side, or its measure always reads 0 for numbers",
)
FEW_ROWS = FindingKind(
    "few_rows",
    "row count dropped",
    ERROR,
    "complete the span's data, or lower min_rows_fraction",
    "less than a fifth of the earlier spans' rows (`min_rows_fraction`), or fewer than the schema's "
    "`dataset_constraints`",
    blocks_freezing=True,
)
MANY_ROWS = FindingKind(
    "many_rows",
    "row count jumped",
    WARNING,
    "check for rows that arrived twice, or raise max_rows_factor",
    "more than three times the earlier spans' rows (`max_rows_factor`); an error where the schema's "
    "`dataset_constraints` limit them",
)
OTHER = FindingKind(
    "other",
    "anomaly",
    ERROR,
    "correct the source, or edit the schema",
    "any other anomaly of TFDV's",
    in_schema=True,
)

SCHEMA_KINDS = (
    MISSING_COLUMN,
    NEW_COLUMN,
    WRONG_TYPE,
    MISSING_VALUES,
    UNEXPECTED_VALUES,
    OUT_OF_DOMAIN,
    WRONG_SHAPE,
    DISTINCT_VALUES,
    INVALID_UTF8,
    NOT_A_NUMBER,
    INVALID_SCHEMA,
    OTHER,
)
"""What a comparison with the schema alone reports."""
