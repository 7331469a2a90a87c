"""Distances of distributions, and what distance is usual between datasets that did not drift."""
