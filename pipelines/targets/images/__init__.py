"""Container images: what a tag stands for now."""
