"""Monitoring of the champion: what it is asked and says in production, judged."""
