"""Writing text so that each kind of file reads it as it was."""

from __future__ import annotations

import json
import re
import unicodedata

_SAFE = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
# Control characters, lone surrogates, separators of lines and paragraphs.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


class DeploymentError(ValueError):
    """Raised for what a deployment file cannot say; the text is one line and names the remedy."""


def check_text(text: str, what: str) -> str:
    """Return a text that has no line breaks and the like, which no kind of file can hold.

    :param text: the text.
    :param what: what it is, for the message.
    :raises DeploymentError: where it has some.
    """
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise DeploymentError(
            f"{what}, {text!a}, has a line break or another control character, which deployment"
            " files cannot hold. Choose another."
        )
    return text


def refuse(text: str, characters: str, what: str, kind: str) -> str:
    """Return a text that has none of some characters.

    :param text: the text.
    :param characters: those that cannot be.
    :param what: what the text is, for the message.
    :param kind: the kind of file.
    :raises DeploymentError: where it has one of them.
    """
    for character in characters:
        if character in text:
            raise DeploymentError(
                f"{what}, {text!a}, has the character {character!r}, which cannot be written in"
                f" {kind}. Choose another."
            )
    return text


def systemd_words(words: list[str]) -> str:
    """Return a command for ``ExecStart=`` (systemd.service, "Command lines").

    :param words: the program's path, and its arguments.
    """
    refuse(words[0], "$", "the program's path", "a unit's command")
    return " ".join(map(systemd_word, words))


def systemd_word(text: str) -> str:
    """Return a word of a command in which systemd replaces nothing.

    :param text: the word.
    """
    return systemd_quoted(text.replace("$", "$$"))


def systemd_quoted(text: str) -> str:
    """Return a word of a list, in which only specifiers are replaced.

    :param text: the word.
    """
    if _SAFE.fullmatch(text):
        return text
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(character, escaped)
    return f'"{text}"'


def systemd_line(text: str) -> str:
    """Return what systemd takes as it is to the end of the line, its specifiers aside.

    :param text: the value.
    :raises DeploymentError: for what it would not take as it is.
    """
    if text != text.strip() or text.endswith("\\"):
        raise DeploymentError(
            f"The path {text!a} begins or ends with a character that systemd leaves out. Choose"
            " another."
        )
    return text.replace("%", "%%")


def nginx_word(text: str) -> str:
    """Return a parameter of nginx.

    :param text: the parameter.
    :raises DeploymentError: for a dollar sign, which nginx has no escape for.
    """
    refuse(text, "$", "a value", "nginx's configuration")
    if _SAFE.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def json_words(words: list[str]) -> str:
    """Return a command in the form of a Dockerfile that runs without a shell.

    :param words: the program and its arguments.
    """
    return json.dumps(words, ensure_ascii=False)


def yaml_text(text: str) -> str:
    """Return a string of a Compose file, in which no variable is replaced.

    :param text: the string.
    """
    # What JSON writes between quotation marks, YAML reads.
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)
