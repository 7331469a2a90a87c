"""Where models serve: one interface to every service, and the list of services."""
