"""Made-up messages of customers, and the team that answered each in the end."""

import numpy as np
import pandas as pd

NAME = "tickets"
DAYS = 5
ROWS = 2_000
TEAMS = 4
"""0 billing, 1 delivery, 2 technical, 3 account."""


def make_day(random: np.random.Generator, day: int) -> pd.DataFrame:
    """Make a day's messages.

    Args:
        random: Where chance comes from.
        day: The day's number.

    Returns:
        Messages with `team`, from 0 to 3.
    """
    channel = random.choice(["mail", "chat", "phone"], ROWS, p=[0.5, 0.3, 0.2])
    topic = random.choice(["invoice", "parcel", "app", "password", "other"], ROWS)
    open_orders = random.poisson(0.8, ROWS)
    months = random.integers(0, 60, ROWS)
    words = random.integers(3, 200, ROWS)
    # How much speaks for each team.
    scores = np.zeros((ROWS, TEAMS))
    for team, its in enumerate(("invoice", "parcel", "app", "password")):
        scores[:, team] += 3.0 * (topic == its)
    scores[:, 1] += 0.9 * open_orders
    scores[:, 2] += 0.01 * words + 0.8 * (channel == "chat")
    scores[:, 3] += 1.5 * (months < 3)
    team = np.argmax(scores + random.gumbel(size=scores.shape), axis=1)
    return pd.DataFrame(
        {
            "ticket_id": np.arange(ROWS) + day * ROWS,
            "channel": channel,
            "topic": topic,
            "open_orders": open_orders,
            "customer_months": months,
            "words": words,
            "team": team,
        }
    )
