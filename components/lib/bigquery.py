"""Tables of BigQuery as spans."""

SCHEME = "bq://"
