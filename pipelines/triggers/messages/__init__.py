"""Reading messages: the forms in which they come over HTTP, and what they say."""
