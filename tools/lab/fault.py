"""The lab's one kind of error."""


class LabFault(Exception):
    """Something in the lab failed: `code` is stable, the text names the thing and the mend."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
