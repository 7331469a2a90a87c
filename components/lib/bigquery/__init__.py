"""BigQuery: Google's clients, tables as spans, and sessions that read them."""
