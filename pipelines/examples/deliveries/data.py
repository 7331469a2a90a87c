"""Made-up delivery rounds: a row is the average of some parcels, and counts as many."""

import numpy as np
import pandas as pd

NAME = "deliveries"
DAYS = 5
ROWS = 2_000
SPEED = {"bike": 3.0, "van": 2.2, "car": 1.8}
"""Minutes a kilometre."""


def make_day(random: np.random.Generator, day: int) -> pd.DataFrame:
    """Make a day's rounds.

    Args:
        random: Where chance comes from.
        day: The day's number.

    Returns:
        Rounds with `minutes`, the average time to a parcel's door, and `parcels`, of how many.
    """
    vehicle = random.choice(list(SPEED), ROWS, p=[0.3, 0.5, 0.2])
    distance = np.round(random.gamma(3.0, 2.0, ROWS), 1)
    stops = random.integers(1, 12, ROWS)
    hour = random.integers(8, 20, ROWS)
    rain = np.round(np.maximum(random.normal(-1.0, 2.0, ROWS), 0), 1)
    parcels = random.integers(1, 60, ROWS)
    rush = ((hour >= 16) & (hour <= 18)) * 6.0
    minutes = 5 + distance * np.vectorize(SPEED.get)(vehicle) + 1.5 * stops + rush + 1.2 * rain
    # The average of many parcels strays less than that of a few.
    minutes = minutes + random.normal(0, 12, ROWS) / np.sqrt(parcels)
    return pd.DataFrame(
        {
            "round_id": np.arange(ROWS) + day * ROWS,
            "vehicle": vehicle,
            "distance_km": distance,
            "stops": stops,
            "hour": hour,
            "rain_mm": rain,
            "parcels": parcels,
            "minutes": np.round(np.maximum(minutes, 1), 1),
        }
    )
