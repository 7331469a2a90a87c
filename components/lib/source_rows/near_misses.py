"""Texts that a computed column compares cells with, and that no cell is, but for white space or capitals."""

import pyarrow as pa
import pyarrow.compute as pc

_EXAMPLES = 3


class NearMisses:
    """The comparisons of a span's computed columns, as its blocks are read."""

    def __init__(self) -> None:
        """Begin without a comparison."""
        self._matched: set[tuple[str, str]] = set()
        self._near: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}

    def add(self, column: str, text: str, cells: pa.Array) -> None:
        """Look at the cells of a block that are compared with a text.

        Args:
            column: The computed column.
            text: The text.
            cells: The cells, as text.
        """
        if (column, text) in self._matched:
            return
        if pc.any(pc.equal(cells, text)).as_py():
            self._matched.add((column, text))
            self._near.pop((column, text), None)
            return
        bare = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
        near = cells.filter(pc.equal(bare, text.strip().lower())).drop_null()
        if len(near):
            rows, examples = self._near.get((column, text), (0, ()))
            found = dict.fromkeys([*examples, *near.unique().to_pylist()])
            self._near[column, text] = rows + len(near), tuple(found)[:_EXAMPLES]

    def found(self) -> list[tuple[str, str, int, tuple[str, ...]]]:
        """List the texts that no cell is: computed column, text, how many cells are near it, and the first of them."""
        return [(*compared, *cells) for compared, cells in self._near.items()]
