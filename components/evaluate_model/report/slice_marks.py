"""The marks in the report's tables of slices, as inline SVG and HTML."""

import math

from markupsafe import Markup

from .charts import COLOURS


def dots(challenger: float | None, champion: float | None, low: float, high: float) -> Markup:
    """Draw a slice's two values on a common scale.

    Args:
        challenger: The challenger's value.
        champion: The champion's value.
        low: Start of the scale; values beyond an end are drawn there.
        high: End of the scale.

    Returns:
        SVG, empty where there is nothing to draw.
    """

    def x(value: float) -> float:
        share = (value - low) / ((high - low) or 1.0)
        return 7 + min(max(share, 0.0), 1.0) * 186

    shown = [
        (who, value)
        for who, value in (("champion", champion), ("challenger", challenger))
        if value is not None and math.isfinite(value)
    ]
    parts = "".join(
        f'<circle cx="{x(value):.0f}" cy="9" r="5" fill="{COLOURS[who]}"/>' for who, value in shown
    )
    if len(shown) == 2:
        parts = f'<path class="between" d="M{x(shown[0][1]):.0f} 9H{x(shown[1][1]):.0f}"/>{parts}'
    return Markup(
        '<svg class="dots" viewBox="0 0 200 18" width="200" height="18" aria-hidden="true">'
        f'<path d="M7 9h186"/>{parts}</svg>'
    )


def bar(share: float) -> Markup:
    """Draw a share from 0 to 1 as a thin bar."""
    return Markup('<span class="bar wide-only"><i style="width:{:.0f}%"></i></span>').format(
        100 * share
    )
