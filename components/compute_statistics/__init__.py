"""TFDV statistics of each split, merged from the spans' stored sketches."""
