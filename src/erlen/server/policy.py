"""Content security policies: whether the script that follows changes may run in a page.

A policy of the application stays as it is, but for the addresses of that script (CSP Level 3,
sections 6.1 and 6.7.2). It gets no looser for anything else.
"""

from __future__ import annotations

import re

_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_=-]+)'")
_SCRIPTS = ("script-src-elem", "script-src", "default-src")
_CONNECTIONS = ("connect-src", "default-src")


def nonce_of(policies: list[str]) -> str | None:
    """Return the nonce that all policies with one allow scripts by; ``None`` for none.

    :param policies: the values of the headers.
    """
    nonces = {nonce for policy in _split(policies) for nonce in _nonces(policy)}
    return nonces.pop() if len(nonces) == 1 else None


def allow(policy_header: str, script: str, events: str) -> str | None:
    """Return a policy that lets a page load a script, and the script read events.

    :param policy_header: the value of the header, which may have several policies.
    :param script: the whole address of the script.
    :param events: the whole address of the events.
    :returns: ``None`` where no address can be allowed.
    """
    widened = []
    for policy in policy_header.split(","):
        directives = _parse(policy)
        if "sandbox" in directives and "allow-scripts" not in directives["sandbox"]:
            return None
        if not _widen(directives, _SCRIPTS, script):
            return None
        _widen(directives, _CONNECTIONS, events)
        widened.append("; ".join(" ".join((name, *rest)) for name, rest in directives.items()))
    return ", ".join(widened)


def _split(headers: list[str]) -> list[dict[str, list[str]]]:
    return [_parse(policy) for header in headers for policy in header.split(",")]


def _parse(policy: str) -> dict[str, list[str]]:
    directives: dict[str, list[str]] = {}
    for directive in policy.split(";"):
        words = directive.split()
        if words:
            # The first one of a name counts.
            directives.setdefault(words[0].lower(), words[1:])
    return directives


def _nonces(policy: dict[str, list[str]]) -> list[str]:
    for name in _SCRIPTS:
        if name in policy:
            return _NONCE.findall(" ".join(policy[name]))
    return []


def _widen(directives: dict[str, list[str]], kinds: tuple[str, ...], address: str) -> bool:
    """Allow an address by the first of some directives that is there; none forbids nothing."""
    found = next((kind for kind in kinds if kind in directives), None)
    if found is None:
        return True
    sources = directives[found]
    words = [source.lower() for source in sources]
    if kinds == _SCRIPTS:
        if any(word.startswith("'nonce-") for word in words):
            return True
        if "'strict-dynamic'" in words:
            return False
    if "'self'" in words or "*" in words:
        return True
    # Into the narrowest directive, so that nothing else gains by it.
    directives[kinds[0]] = [*(s for s in sources if s.lower() != "'none'"), address]
    return True
