"""What several components share: files, the store, examples, schemas, progress and reports."""
