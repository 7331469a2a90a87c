"""Reports: one self-contained HTML page each, which needs no network to open."""

from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from .image import VERSION

_environment = Environment(loader=PackageLoader(__name__, "templates"), autoescape=True)


def render_page(
    title: str,
    verdict: str,
    ok: bool,
    facts: Mapping[str, object],
    body_html: str,
    words: tuple[str, str] = ("passed", "stopped"),
) -> str:
    """Lay out a report.

    Args:
        title: What was judged.
        verdict: The judgement in one sentence.
        ok: Whether it is good news; colours the verdict.
        facts: Short facts shown under the verdict, by name.
        body_html: The rest, as HTML that is already safe.
        words: What stands before the verdict if it is good news, and if it is not.

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
        version=VERSION,
    )


def render_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out a table that scrolls by itself on a narrow screen.

    Args:
        columns: Headings.
        rows: Cells, row by row; numbers are set to the right, text is escaped, `Markup` is kept.

    Returns:
        HTML.
    """

    def cell(tag: str, value: object, number: bool) -> str:
        return f"<{tag}{' class=number' if number else ''}>{escape(value)}</{tag}>"

    numeric = [
        bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        for i in range(len(columns))
    ]
    head = "".join(cell("th", name, numeric[i]) for i, name in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(cell("td", value, numeric[i]) for i, value in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def isolated(name: str) -> str | Markup:
    """Keep a name to itself: it may hold what turns the direction of all text after it.

    Args:
        name: A name from the data, such as a column's.

    Returns:
        The name, to be put into HTML.
    """
    return name if name.isascii() else Markup("<bdi>{}</bdi>").format(name)


def unbroken(text: str) -> Markup:
    """Keep a text on one line, such as a date in a narrow cell."""
    return Markup('<span style="white-space:nowrap">{}</span>').format(text)
