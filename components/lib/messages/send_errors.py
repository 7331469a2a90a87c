"""How sending a message can fail, which decides whether it is sent again."""


class NotSentError(Exception):
    """The message was certainly not accepted.

    Its text names neither secrets nor addresses that hold them.

    Attributes:
        transient: Whether another try may succeed.
    """

    def __init__(self, reason: str, transient: bool = False) -> None:
        super().__init__(reason)
        self.transient = transient


class MaybeSentError(Exception):
    """The reply was lost, so the message may have been accepted; sending it again could notify twice."""
