"""Rows as a model was given them, with its predictions: what evaluation judged, and what a server answered.

evaluate_model and check_serving each write the first rows of the newest evaluation span, and push_model compares them.
So the two can run at the same time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..uris import exists, join, read_json, write_json

FILE = "scored_rows.json"
MOST_ROWS = 64


@dataclass(frozen=True)
class ScoredRows:
    """The first rows of a span's part.

    Attributes:
        source: Which part: equal for equal rows.
        columns: Cells by the column that the model takes; a missing one is NaN or empty text.
        predictions: The prediction of each row: a list of one number, or of one for each class.
    """

    source: str
    columns: Mapping[str, Sequence[Any]]
    predictions: Sequence[Any]

    @classmethod
    def of(
        cls, source: str, columns: Mapping[str, Sequence[Any]], predictions: Any
    ) -> "ScoredRows":
        """Keep the first `MOST_ROWS` of these rows.

        Args:
            source: Which rows they are, by `source_of`.
            columns: Cells by column, as values of JSON.
            predictions: An array of shape (rows,) or (rows, ...).
        """
        cells = {name: list(column[:MOST_ROWS]) for name, column in sorted(columns.items())}
        kept = predictions[:MOST_ROWS]
        return cls(source, cells, kept.reshape(len(kept), -1).tolist())

    @classmethod
    def read(cls, path: str) -> "ScoredRows | None":
        """Read the rows beside a blessing or a serving check; None if there are none."""
        uri = join(path, FILE)
        return cls(**read_json(uri)) if exists(uri) else None

    def write(self, path: str) -> None:
        """Write the rows into an artifact's folder."""
        write_json(join(path, FILE), asdict(self))
