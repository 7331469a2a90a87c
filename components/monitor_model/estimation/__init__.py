"""Quality estimated without labels: by calibrated probabilities (CBPE), or by a learned loss (DLE)."""
