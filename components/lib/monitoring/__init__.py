"""Monitoring of what serves: signals, their states, looks, incidents. What reads only JSON needs no library."""
