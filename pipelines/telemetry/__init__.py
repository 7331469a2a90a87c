"""What is seen of models that serve: logs of their requests, metrics of the loop."""
