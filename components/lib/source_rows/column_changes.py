"""Which columns get another name, and which are made of others, as the settings say it.

Importing it loads no Arrow; `column_expressions` does what it says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import RetrainerError
from ..words import did_you_mean, plural

# Functions of pyarrow.compute (https://arrow.apache.org/docs/python/api/compute.html), by what they take.
OF_A_TIME = (
    "year", "quarter", "month", "iso_week", "day", "day_of_year", "day_of_week", "hour", "minute", "second",
)  # fmt: skip
OF_TWO_TIMES = ("days_between", "hours_between", "minutes_between", "seconds_between")
OF_A_TEXT = ("utf8_lower", "utf8_upper", "utf8_trim_whitespace", "utf8_length")
OF_NUMBERS = (
    "add", "subtract", "multiply", "divide", "greater", "greater_equal", "less", "less_equal",
)  # fmt: skip
COMPARED = ("equal", "not_equal")
OF_ANY = (*COMPARED, "coalesce")
SPLIT, CONTAINS = "split_pattern", "list_contains"
OF_A_LIST = (SPLIT, CONTAINS)
CLASS_OF = "index_in"
FUNCTIONS = (
    *OF_A_TIME, *OF_TWO_TIMES, *OF_A_TEXT, "abs", *OF_NUMBERS, *OF_ANY, *OF_A_LIST, CLASS_OF,
)  # fmt: skip
_ONE_ARGUMENT = (*OF_A_TIME, *OF_A_TEXT, "abs")
VALUE = "value"


@dataclass(frozen=True)
class ColumnChanges:
    """Columns to rename and to derive, before anything else.

    Attributes:
        renamed: New names, by the source's.
        derived: Expressions, by the column that they make: a function with its arguments.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, str]:
        """The columns that derived ones are made of, each with the first that is made of it."""
        found: dict[str, str] = {}
        for name, expression in self.derived.items():
            for source in columns_of(expression):
                found.setdefault(source, name)
        return found

    @property
    def lists(self) -> tuple[str, ...]:
        """The derived columns that are lists."""
        return tuple(name for name, expression in self.derived.items() if SPLIT in expression)

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """The texts that the derived columns of classes number, by column."""
        return {
            name: tuple(expression[CLASS_OF][1][VALUE])
            for name, expression in self.derived.items()
            if CLASS_OF in expression
        }


def parse_columns(columns: Mapping[str, Any]) -> ColumnChanges:
    """Parse the setting `data.columns`.

    Args:
        columns: By a column's name: the source's name for it, or a function with its arguments, such as
            `{hour: ordered_at}` or `{greater: [delay, 15]}`. An argument is a column's name, a number, an expression
            itself, or `{value: text}`; the second of `index_in` is `{value: [text, text]}`.

    Raises:
        RetrainerError: If one of them is invalid.
    """
    renamed: dict[str, str] = {}
    derived: dict[str, Mapping[str, Any]] = {}
    for name, what in columns.items():
        place = f"data.columns.{name}"
        if isinstance(what, str):
            if what in renamed:
                raise RetrainerError(
                    f"data.columns calls the column '{what}' both '{renamed[what]}' and '{name}'. Take one of them out."
                )
            renamed[what] = name
        else:
            _check(what, place)
            # A number is an argument, and no column.
            if not isinstance(what, Mapping) or VALUE in what:
                raise RetrainerError(f"{place} is a value alone, and needs a function of a column.")
            derived[name] = what
    changes = ColumnChanges(renamed, derived)
    for source, made in changes.sources.items():
        if source in derived:
            raise RetrainerError(
                f"data.columns.{made} is made of '{source}', which is made itself. Write its expression there instead."
            )
        if source in renamed:
            raise RetrainerError(
                f"data.columns.{made} is made of '{source}', which is called '{renamed[source]}' here. Use that name."
            )
    return changes


def _check(expression: Any, place: str) -> None:
    if isinstance(expression, str) or (
        isinstance(expression, int | float) and not isinstance(expression, bool)
    ):
        return
    if not isinstance(expression, Mapping) or len(expression) != 1:
        raise RetrainerError(
            f"{place} is {expression!r}; give the source's name of the column, or one function with its arguments, "
            "such as {hour: ordered_at}."
        )
    ((function, arguments),) = expression.items()
    if function == VALUE:
        _check_value(arguments, place)
        return
    if function not in FUNCTIONS:
        hint = did_you_mean(function, FUNCTIONS)
        raise RetrainerError(
            f"{place} has the function '{function}', which is unknown.{hint} There are {', '.join(FUNCTIONS)}."
        )
    given = arguments_of(arguments)
    count = 1 if function in _ONE_ARGUMENT else 2
    if len(given) != count:
        raise RetrainerError(
            f"{place}: '{function}' takes {plural(count, 'argument')}, and has {len(given)}."
        )
    if function in OF_A_LIST and not (isinstance(given[1], Mapping) and VALUE in given[1]):
        raise RetrainerError(
            f"{place}: '{function}' takes a column and a text, such as {{{function}: [genres, {{value: x}}]}}."
        )
    for argument in given:
        if function != CONTAINS and isinstance(argument, Mapping) and SPLIT in argument:
            raise RetrainerError(
                f"{place}: '{SPLIT}' makes lists, which '{function}' does not take. '{CONTAINS}' does."
            )
        if function != CLASS_OF and isinstance(argument, Mapping) and _is_texts(argument):
            raise RetrainerError(
                f"{place}: '{function}' takes one value, and has several. '{CLASS_OF}' takes several."
            )
        _check(argument, place)
    if function == CLASS_OF and not _is_texts(given[1]):
        raise RetrainerError(
            f"{place}: '{function}' takes a column and its texts in order, at least two and each once, such as "
            f"{{{function}: [species, {{value: [cat, dog]}}]}}."
        )


def _check_value(value: Any, place: str) -> None:
    for one in arguments_of(value):
        if isinstance(one, bool):
            raise RetrainerError(
                f"{place} has the value {str(one).lower()}: YAML reads yes, no, on, off, true and false so where they "
                'are not quoted. Put the text of the cells in quotes, such as {value: "Yes"}.'
            )


def _is_texts(argument: Any) -> bool:
    texts = argument.get(VALUE) if isinstance(argument, Mapping) else None
    return (
        isinstance(texts, list | tuple)
        and len(texts) > 1
        and all(isinstance(text, str) for text in texts)
        and len(set(texts)) == len(texts)
    )


def arguments_of(arguments: Any) -> Sequence[Any]:
    """List the arguments of a function, of which one may stand without a list."""
    return arguments if isinstance(arguments, list | tuple) else [arguments]


def columns_of(expression: Any) -> Iterator[str]:
    """List the columns that an expression takes, in order."""
    if isinstance(expression, str):
        yield expression
    elif isinstance(expression, Mapping):
        for function, arguments in expression.items():
            if function != VALUE:
                for argument in arguments_of(arguments):
                    yield from columns_of(argument)
