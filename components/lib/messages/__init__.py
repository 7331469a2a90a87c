"""Messages to other services: sent, or known not to be."""
