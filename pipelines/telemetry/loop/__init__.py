"""`retrainer metrics`: what the store knows of the loop, in Prometheus's form."""
