"""The one error that this package raises for problems that a user can fix."""


class LiteMedSamError(Exception):
    """A problem that the caller can fix: a bad file, box, bundle or setting.

    The message is one line: the place (file, key, object), the value found, the value expected, and the remedy.

    Parameters
    ----------
    message : str
        The place and the problem; line breaks become spaces.
    remedy : str, optional
        The way to fix it, appended after a semicolon.
    """

    def __init__(self, message: str, remedy: str | None = None):
        text = message if remedy is None else f"{message}; {remedy}"
        super().__init__(" ".join(text.split()))
