"""`retrainer serve-log`: the proxy that logs what a model server is asked and answers."""
