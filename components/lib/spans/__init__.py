"""Spans: finding them by a pattern, their periods and windows, and the versions that the store keeps."""
