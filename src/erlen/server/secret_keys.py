"""What makes a secret key worth its name."""

from __future__ import annotations

import typing as t

#: The command that makes a good one.
MAKE_ONE = "python -c 'import secrets; print(secrets.token_hex())'"
#: How many bytes a secret key must have (OWASP: at least 128 bits of randomness).
MIN_KEY_BYTES = 16
#: Words that stand for a key in examples and tutorials, without what separates them.
KNOWN_WORDS = frozenset(
    {
        "dev",
        "devel",
        "development",
        "developmentkey",
        "devkey",
        "secret",
        "secretkey",
        "mysecret",
        "mysecretkey",
        "supersecret",
        "supersecretkey",
        "topsecret",
        "thisisasecret",
        "thisisasecretkey",
        "asecretkey",
        "yoursecretkey",
        "yoursecretkeyhere",
        "notsosecret",
        "notasecret",
        "verysecret",
        "verysecretkey",
        "changeme",
        "changethis",
        "changethiskey",
        "pleasechangeme",
        "changemeinproduction",
        "replaceme",
        "insecure",
        "example",
        "flask",
        "erlen",
        "key",
        "test",
        "testing",
        "testkey",
        "testsecret",
        "testsecretkey",
        "password",
        "default",
        "hardtoguessstring",
        "youwillneverguess",
    }
)


def problem_of(key: t.Any) -> str | None:
    """Return what is wrong with a secret key; ``None`` for nothing that can be seen.

    :param key: text, bytes, or nothing.
    """
    if not key:
        return "is not set, so that nothing can be signed"
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    if is_known(text):
        return "is known to everybody, so that sessions can be forged"
    size = len(text.encode("utf-8", "surrogatepass"))
    if size < MIN_KEY_BYTES:
        return f"has {size} bytes, and less than {MIN_KEY_BYTES} can be guessed"
    if len(set(text)) < 6:
        return "repeats a few characters, so that it can be guessed"
    return None


def is_known(text: str) -> bool:
    """Return whether a key stands in tutorials, whatever separates or follows its words.

    :param text: the key.
    """
    letters = "".join(filter(str.isalnum, text.lower()))
    return letters in KNOWN_WORDS or letters.strip("0123456789") in KNOWN_WORDS
