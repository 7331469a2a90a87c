"""Made-up orders for the starter project."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..spans import write_days as write_made_days

ROWS = 3_000


def write_days(folder: Path, days: int = 5) -> list[Path]:
    """Write one CSV file of orders a day; the same files every time.

    Args:
        folder: Where to; made if missing.
        days: How many days.

    Returns:
        The files, oldest first.
    """
    return write_made_days(make_day, "orders", folder, days)


def make_day(random: np.random.Generator, day: int) -> pd.DataFrame:
    """Make a day's orders.

    Args:
        random: Where chance comes from.
        day: The day's number.

    Returns:
        Orders with `returned`, 0 or 1.
    """
    country = random.choice(["DE", "FR", "GB", "US"], ROWS, p=[0.3, 0.2, 0.2, 0.3])
    channel = random.choice(["app", "web", "shop"], ROWS)
    items = random.integers(1, 8, ROWS)
    basket_value = np.round(random.gamma(2.0, 20.0, ROWS) * items**0.5, 2)
    odds = -2.0 + 0.02 * basket_value - 0.2 * items + (channel == "app") + 0.5 * (country == "DE")
    returned = random.random(ROWS) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame(
        {
            "order_id": np.arange(ROWS) + day * ROWS,
            "country": country,
            "channel": channel,
            "items": items,
            "basket_value": basket_value,
            "returned": returned.astype(int),
        }
    )
