"""The page of a report: one self-contained HTML file that needs no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from ..image import VERSION

RUN_MARKER, RUN_END = "<!-- retrainer:run -->", "<!-- /retrainer:run -->"
"""Stands in every page's header.

A component does not know its run: as a parameter, the run's name would be in the cache key, and nothing would be
reused. The runner puts name and links between these two afterwards.
"""
_TALL_FROM = 30
"""From this number of rows on, a table scrolls by itself."""

_environment = Environment(
    loader=PackageLoader(__package__, "templates"), autoescape=True, trim_blocks=True
)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its heading.
        number: Whether it holds numbers, which are set to the right and never broken.
        wide_only: Whether a narrow screen leaves it out.
        css: Further CSS classes of its cells.
    """

    title: str | Markup
    number: bool = False
    wide_only: bool = False
    css: str = ""

    @property
    def attributes(self) -> Markup:
        """The HTML attributes of its cells."""
        names = ["number"] * self.number + ["wide-only"] * self.wide_only + self.css.split()
        return Markup(' class="{}"').format(" ".join(names)) if names else Markup("")


@dataclass(frozen=True)
class Cell:
    """A cell with its own sort key.

    Attributes:
        shown: Text, or `Markup`.
        value: The number to sort by; None sorts last.
    """

    shown: object
    value: float | None = None


def render_page(
    title: str,
    verdict: str,
    ok: bool,
    facts: Mapping[str, object],
    body_html: str,
    words: tuple[str, str] = ("passed", "stopped"),
    style: str = "",
    place: str = "",
) -> str:
    """Lay out a report.

    Args:
        title: Title of the report.
        verdict: The verdict in one sentence.
        ok: Whether the verdict is positive; colours it.
        facts: Short facts shown under the verdict, by name.
        body_html: The rest, as HTML that is already safe.
        words: Words before a positive and a negative verdict.
        style: Further CSS.
        place: URI that the report is written to; on Kubeflow and Vertex AI it names pipeline and run.

    Returns:
        A whole HTML document.
    """
    return _environment.get_template("page.html").render(
        title=title,
        verdict=verdict,
        ok=ok,
        word=words[0] if ok else words[1],
        facts=facts,
        body=Markup(body_html),
        style=Markup(style),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        run_marker=Markup(RUN_MARKER + RUN_END),
        place=place,
        version=VERSION,
    )


def render_table(
    columns: Sequence[str | Column],
    rows: Sequence[Sequence[object]],
    search: str = "",
    rows_column: int | None = None,
    caption: str = "",
) -> Markup:
    """Lay out a table that scrolls by itself on a narrow screen.

    Args:
        columns: Headings; one whose cells are all numbers is set to the right.
        rows: Cells, row by row; text is escaped, `Markup` is kept.
        search: Name of its rows, which makes it searchable and sortable. Without scripts, a browser shows the whole
            table in its order.
        rows_column: With `search`, the column of row counts, to filter small groups.
        caption: A line above the table.

    Returns:
        HTML.
    """
    cells = [
        [one if isinstance(one, Cell) else Cell(one, _sort_value(one)) for one in row]
        for row in rows
    ]
    known = [
        column
        if isinstance(column, Column)
        else Column(column, bool(rows) and all(isinstance(row[i], int | float) for row in rows))
        for i, column in enumerate(columns)
    ]
    html = _environment.get_template("table.html").render(
        columns=known,
        rows=cells,
        search=search,
        rows_column=rows_column,
        caption=caption,
        tall=len(cells) > _TALL_FROM,
    )
    return Markup(html)


def put_run(page: str, header: str) -> str:
    """Put the run into a report's header, replacing a former one.

    Args:
        page: A page of `render_page`; others are returned unchanged.
        header: HTML that is already safe.

    Returns:
        The page.
    """
    before, marker, rest = page.partition(RUN_MARKER)
    _, end, after = rest.partition(RUN_END)
    return f"{before}{marker}{header}{end}{after}" if end else page


def render_run_header(about: str, links: Sequence[tuple[str, str, bool]]) -> Markup:
    """Lay out the run in a report's header.

    Args:
        about: The run, in a few words.
        links: Title and relative URL of the run's pages, and whether it is this one.

    Returns:
        HTML.
    """
    entries = Markup(" ").join(
        Markup("<b>{}</b>").format(title) if here else render_links([(title, url)])
        for title, url, here in links
    )
    return Markup('<p class="about">{}</p><nav aria-label="pages of the run">{}</nav>').format(
        about, entries
    )


def render_links(links: Sequence[tuple[str, str]]) -> Markup:
    """Lay out links by title and relative URL."""
    return Markup(" ").join(
        Markup('<a href="{}">{}</a>').format(quote(url), title) for title, url in links
    )


def render_lines(lines: Sequence[str]) -> Markup:
    """Lay out lines of text below each other."""
    return Markup("<br>").join(lines)


def render_card(title: str, body: Markup) -> Markup:
    """Lay out a card."""
    return Markup('<div class="card"><h3>{}</h3>{}</div>').format(breakable(title), body)


def render_section(title: str, head: Markup, cards: Sequence[Markup], note: str = "") -> Markup:
    """Lay out cards under a heading, with a note below them."""
    return Markup('<h2>{}</h2>{}<div class="cards">{}</div><p class="note">{}</p>').format(
        title, head, Markup("").join(cards), note
    )


def legend(series: Sequence[tuple[str, str]]) -> Markup:
    """Lay out a legend.

    Args:
        series: Name and CSS colour of each dataset.

    Returns:
        HTML.
    """
    return Markup('<p class="legend">{}</p>').format(
        Markup("").join(
            Markup('<span><i style="background:{}"></i>{}</span>').format(color, name)
            for name, color in series
        )
    )


def place_of(path: str) -> str:
    """Return where a report is written, if that identifies its run.

    Kubeflow and Vertex AI write a task's outputs to a path with the names of pipeline and run.

    Args:
        path: The path that the component writes to.

    Returns:
        A URI in a bucket; empty on a local disk.
    """
    for scheme in ("gs", "minio", "s3"):
        if path.startswith(f"/{scheme if scheme != 'gs' else 'gcs'}/"):
            return f"{scheme}://{path.split('/', 2)[2]}"
    return path if "://" in path else ""


def isolated(name: str) -> str | Markup:
    """Isolate a name: it may change the direction of all text after it.

    Args:
        name: A name from the data, such as a column's.

    Returns:
        The name, to be put into HTML.
    """
    return name if name.isascii() else Markup("<bdi>{}</bdi>").format(name)


def breakable(name: str) -> Markup:
    """Allow line breaks in a long name after underscores, not within words."""
    return Markup("_<wbr>").join(name.split("_"))


def unbroken(text: str) -> Markup:
    """Keep text on one line, such as a date in a narrow cell."""
    return Markup('<span class="nobreak">{}</span>').format(text)


def _sort_value(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None
