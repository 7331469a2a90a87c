"""The user's code: loading it, what it imports, its digest, and its failures in words."""
