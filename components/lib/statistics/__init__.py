"""Statistics of rows: TFDV's mergeable sketches, how they are made, kept and read."""
