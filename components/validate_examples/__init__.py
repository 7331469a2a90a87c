"""The data gate: schema, drift, skew and span checks; an error stops the run."""
