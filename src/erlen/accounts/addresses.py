"""Addresses of mail as names of accounts: which are taken, and which are the same."""

from __future__ import annotations

import hashlib

from email_validator import EmailNotValidError, validate_email

__all__ = ["MAX_LENGTH", "AddressRefused", "address_key", "clean_address"]

#: The most characters of an address (RFC 5321, 4.5.3.1.3, less the angle brackets).
MAX_LENGTH = 254


class AddressRefused(ValueError):
    """What was typed is no address that an account can have."""


def clean_address(text: str) -> str:
    """Return an address as it is kept and written to.

    Before the @ there are ASCII characters only: letters of other alphabets that look the same
    would make two accounts that nobody can tell apart (Unicode TR 39). The domain may be of any
    script, and is kept in its ASCII form (RFC 5891), which shows what it is.

    :param text: what was typed.
    :raises AddressRefused: if it is no address.

    .. code-block:: python

        clean_address(" Ada@Example.ORG ")  # "Ada@example.org"
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise AddressRefused("The address is too long.")
    try:
        found = validate_email(
            text,
            allow_smtputf8=False,
            check_deliverability=False,
            # Whether mail arrives is what the confirmation shows, in an intranet too.
            globally_deliverable=False,
            test_environment=True,
        )
    except (EmailNotValidError, ValueError) as error:
        raise AddressRefused(str(error)) from None
    address = found.ascii_email or found.normalized
    if len(address) > MAX_LENGTH:
        raise AddressRefused("The address is too long.")
    return address


def address_key(text: str) -> str:
    """Return what two spellings of one address have in common: the address in small letters.

    Mail servers may tell ``Ada@`` from ``ada@`` (RFC 5321, 2.4); none in use gives them to two
    people. What is no address gives a key as well, which no account has.

    :param text: what was typed.
    """
    try:
        return clean_address(text).lower()
    except AddressRefused:
        # No address begins so, and any characters may have been typed.
        return f" {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
