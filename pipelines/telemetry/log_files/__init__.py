"""Log files: rows wait in bounded memory, and are written whole."""
