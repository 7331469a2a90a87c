"""Example projects that run as they are."""
