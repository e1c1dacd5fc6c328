"""Reading deployment files back, as strictly as the programs that they are for."""

from __future__ import annotations

import json
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"(?=\s|$)|(?P<plain>[^\s"\'\\]+)')
_INSTRUCTIONS = {"FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}


def read_unit(text: str) -> dict[str, list[tuple[str, str]]]:
    """Return the sections of a unit, each with its keys and values in order."""
    sections: dict[str, list[tuple[str, str]]] = {}
    section: list[tuple[str, str]] | None = None
    for line in text.splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("["):
            assert line.endswith("]"), line
            section = sections.setdefault(line[1:-1], [])
            continue
        assert section is not None, line
        assert re.match(r"[A-Za-z]+=", line), line
        # That would join it with the next one.
        assert not line.endswith("\\"), line
        key, _, value = line.partition("=")
        section.append((key, value))
    return sections


def read_command(value: str, specifiers: dict[str, str] | None = None) -> list[str]:
    """Return the words of an ``ExecStart=``, with what systemd would replace."""
    words: list[str] = []
    position = 0
    while position < len(value):
        match = _WORD.match(value, position)
        assert match, value[position:]
        word = match["plain"]
        if word is None:
            word = re.sub(r'\\([\\"])', r"\1", match["quoted"])
        words.append(_replace(word, specifiers or {}, with_variables=bool(words)))
        position = match.end()
        while value[position : position + 1] == " ":
            position += 1
    return words


def read_path(value: str) -> str:
    """Return the path of a ``WorkingDirectory=``, which has specifiers and no variables."""
    return _replace(value, {}, with_variables=False)


def _replace(word: str, specifiers: dict[str, str], *, with_variables: bool) -> str:
    word = re.sub("%(.)", lambda match: "%" if match[1] == "%" else specifiers[match[1]], word)
    if with_variables:
        assert "$" not in word.replace("$$", ""), word
        word = word.replace("$$", "$")
    return word


def read_dockerfile(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile."""
    instructions = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, rest = line.partition(" ")
        assert name in _INSTRUCTIONS, line
        assert rest, line
        assert not line.endswith("\\"), line
        instructions.append((name, rest))
    assert instructions[0][0] == "FROM"
    return instructions


def values_of(instructions: list[tuple[str, str]], name: str) -> list[str]:
    """Return what all instructions of a name say, in order."""
    return [value for key, value in instructions if key == name]


def read_words(value: str) -> list[str]:
    """Return a command that runs without a shell."""
    words = json.loads(value)
    assert all(isinstance(word, str) for word in words), words
    return t.cast("list[str]", words)


def unescape(value: t.Any) -> t.Any:
    """Return a value of a Compose file with Compose's own escapes undone."""
    if isinstance(value, str):
        assert "$" not in value.replace("$$", ""), value
        return value.replace("$$", "$")
    if isinstance(value, list):
        return [unescape(item) for item in value]
    if isinstance(value, dict):
        return {key: unescape(item) for key, item in value.items()}
    return value


def read_site(text: str) -> Iterator[list[str]]:
    """Yield the directives of an nginx configuration, each as its words."""
    words: list[str] = []
    token = re.compile(r"""#[^\n]*|\s+|"((?:[^"\\]|\\.)*)"|'([^']*)'|([;{}])|([^\s;{}"']+)""")
    position = 0
    while position < len(text):
        match = token.match(text, position)
        assert match, text[position:]
        position = match.end()
        if match[3]:
            if words:
                yield words
            words = []
        elif match[1] is not None:
            words.append(re.sub(r'\\([\\"])', r"\1", match[1]))
        elif match[2] is not None or match[4] is not None:
            words.append(match[2] if match[2] is not None else match[4])
    assert not words
