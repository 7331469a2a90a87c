"""Joins predictions with the labels that come later."""
