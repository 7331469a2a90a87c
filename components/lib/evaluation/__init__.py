"""TFMA's metrics over whole arrays: settings, slices, computations and what makes them undefined."""
