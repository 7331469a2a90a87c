"""Reports: self-contained HTML pages, and what they are made of."""
