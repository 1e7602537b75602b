"""The one error that this package raises for what a user can mend."""


class LiteMedSamError(Exception):
    """Something that the caller can mend: a bad file, box, bundle or setting.

    The message says where (file, key, object), what was got, what was expected and what to do,
    on one line.

    Parameters
    ----------
    message : str
        Where and what; line breaks are turned into spaces.
    remedy : str, optional
        What to do about it; appended after a semicolon.
    """

    def __init__(self, message: str, remedy: str | None = None):
        text = message if remedy is None else f"{message}; {remedy}"
        super().__init__(" ".join(text.split()))
