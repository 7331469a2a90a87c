"""Sources: the formats that spans come in, each read block by block."""
