"""Made-up orders for the starter project."""

import numpy as np
import pandas as pd

NAME = "orders"
DAYS = 5
ROWS = 3_000


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
