"""Predictions in the store, alone and joined with their labels."""
