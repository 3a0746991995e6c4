"""Text that can be stored and read back."""


def check_unicode(text: str) -> str:
    """The text itself.

    Raises:
        ValueError: It holds half of a surrogate pair, as bytes of another encoding leave behind.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{text!r} is no Unicode text (character {error.start + 1} is half of a pair): type it anew, or save it as "
            "UTF-8"
        ) from None
    return text
