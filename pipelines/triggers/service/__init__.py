"""The trigger service: messages over HTTP or from a subscription."""
