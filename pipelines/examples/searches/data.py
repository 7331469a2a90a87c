"""Made-up searches of a shop: a row is a product that was shown, with its clicks."""

import numpy as np
import pandas as pd

NAME = "searches"
DAYS = 5
SEARCHES = 300
COUNTRIES = ["DE", "FR", "JP"]


def make_day(random: np.random.Generator, day: int) -> pd.DataFrame:
    """Make a day's searches.

    Args:
        random: Where chance comes from.
        day: The day's number.

    Returns:
        Products shown, a few for each `search_id`, with `clicks` and whether there were any, `clicked`.
    """
    shown = random.integers(2, 13, SEARCHES)
    search = np.repeat(np.arange(SEARCHES), shown)
    rows = len(search)
    price = np.round(random.gamma(2.0, 20.0, rows), 2)
    stars = np.round(random.uniform(1, 5, rows), 1)
    in_stock = (random.random(rows) < 0.8).astype(int)
    wanted = 1.2 * stars - price / 40 + 1.5 * in_stock + random.normal(0, 1, rows)
    clicks = np.clip(np.round(wanted - 4), 0, 5).astype(int)
    return pd.DataFrame(
        {
            "search_id": [f"{day}-{number}" for number in search],
            "product_id": random.integers(1, 5_000, rows),
            "country": np.array(COUNTRIES)[random.integers(0, 3, SEARCHES)][search],
            "price": price,
            "stars": stars,
            "in_stock": in_stock,
            "clicks": clicks,
            "clicked": (clicks > 0).astype(int),
        }
    )
