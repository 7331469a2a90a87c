"""What ran, wherever it ran: records, locks and what is looked up of remote runs."""
