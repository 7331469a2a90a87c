"""Made-up card payments, of which about one in two hundred is fraud."""

import numpy as np
import pandas as pd

NAME = "payments"
DAYS = 8
ROWS = 5_000


def make_day(random: np.random.Generator, day: int) -> pd.DataFrame:
    """Make a day's payments.

    Args:
        random: Where chance comes from.
        day: The day's number.

    Returns:
        Payments with `fraud`, 0 or 1.
    """
    merchant = random.choice(
        ["grocery", "travel", "electronics", "gift_cards", "fuel"],
        ROWS,
        p=[0.4, 0.15, 0.2, 0.05, 0.2],
    )
    amount = np.round(random.gamma(1.5, 40.0, ROWS), 2)
    abroad = (random.random(ROWS) < 0.06).astype(int)
    attempts = random.poisson(0.3, ROWS)
    card_days = random.integers(1, 2_000, ROWS)
    odds = (
        -16.5
        + 0.024 * np.minimum(amount, 300)
        + 7.0 * abroad
        + 3.2 * np.minimum(attempts, 3)
        + 6.0 * (merchant == "gift_cards")
        + 3.0 * (merchant == "electronics")
        + 4.0 * (card_days < 200)
    )
    fraud = random.random(ROWS) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame(
        {
            "payment_id": np.arange(ROWS) + day * ROWS,
            "merchant": merchant,
            "amount": amount,
            "abroad": abroad,
            "attempts_last_hour": attempts,
            "card_age_days": card_days,
            "fraud": fraud.astype(int),
        }
    )
