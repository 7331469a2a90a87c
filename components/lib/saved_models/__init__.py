"""SavedModels: their signatures, what they take and return, and the rows that two of them are compared on."""
