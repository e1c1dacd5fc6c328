"""What roles grant."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.permissions.library import PEOPLE, ROLES, Book, make_app

from erlen.exceptions import ConfigError
from erlen.login import Permissions, can, granted, policy, requires
from erlen.login.permissions_grants import Grants


@pytest.mark.parametrize(
    ("user", "permission", "answer"),
    [
        (None, "book:view", True),
        (None, "book:edit", False),
        (None, "loan:list", False),
        ("nora", "loan:list", True),
        ("nora", "book:view", False),
        ("rita", "loan:create", True),
        ("rita", "loan:delete", False),
        ("rita", "loan", False),
        ("lena", "loan:delete", True),
        ("lena", "loan:fee:waive", True),
        ("lena", "loan", False),
        ("lena", "loans:delete", False),
        ("lena", "user:delete", False),
        ("ada", "user:delete", True),
        ("ada", "anything", True),
        # Not active, so nobody.
        ("ivan", "loan:delete", False),
        ("ivan", "book:view", True),
        # A role that is no more.
        ("otto", "loan:create", False),
    ],
)
def test_roles(user: str | None, permission: str, answer: bool) -> None:
    """Users have what their roles grant, and nothing else."""
    permissions = Permissions[t.Any](roles=ROLES)
    assert permissions.grants(PEOPLE[user] if user else None, permission) is answer


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("book:edit", ["book:edit"], ["book", "book:edit:price", "book:view", "abook:edit"]),
        ("book:*", ["book:edit", "book:edit:price"], ["book", "books:edit"]),
        ("*:view", ["book:view", "loan:view"], ["view", "book:view:all", "book:edit"]),
        ("book:*:price", ["book:edit:price"], ["book:price", "book:a:b:price"]),
        ("*", ["book", "book:edit", "a:b:c"], []),
        ("*:*", ["book:edit", "a:b:c"], ["book"]),
    ],
)
def test_wildcards(pattern: str, covered: list[str], not_covered: list[str]) -> None:
    """A `*` stands for one word, and at the end for one or more."""
    grants = Grants("role", [pattern])
    assert [name for name in covered if not grants.cover(name)] == []
    assert [name for name in not_covered if grants.cover(name)] == []


@pytest.mark.parametrize("grant", ["", "book edit", "book:", ":edit", "book::edit", "b*", 5, None])
def test_wrong_grant(grant: t.Any) -> None:
    """A role that grants what is no name is an error at set-up."""
    with pytest.raises(ConfigError, match="The role 'reader' grants"):
        Permissions(roles={"reader": {grant}})


def test_text_instead_of_a_set() -> None:
    """A text is not taken for a set of letters."""
    with pytest.raises(ConfigError, match=r"Write a set: \{'book:view'\}"):
        Permissions(roles={"reader": "book:view"})


@pytest.mark.parametrize("name", ["", "book:*", "*", "book edit", None])
def test_wrong_name(name: t.Any) -> None:
    """What is no name of a permission is an error where it stands, and wildcards are none."""
    with pytest.raises(ConfigError, match="no name of a permission"):
        requires(name)
    with pytest.raises(ConfigError, match="no name of a permission"):
        policy(name, Book)
    with make_app().test_request_context():
        with pytest.raises(ConfigError, match="no name of a permission"):
            can(name)
        with pytest.raises(ConfigError, match="no name of a permission"):
            granted(name)


words = st.text("abc", min_size=1, max_size=2)


@given(st.lists(words | st.just("*"), min_size=1, max_size=4), st.lists(words, min_size=1))
def test_more_patterns_grant_more(pattern: list[str], name: list[str]) -> None:
    """A pattern covers what fits word by word, whatever else is granted."""
    fits = len(name) == len(pattern) or (len(name) > len(pattern) and pattern[-1] == "*")
    fits = fits and all(a in ("*", b) for a, b in zip(pattern, name, strict=False))
    grants = Grants("role", [":".join(pattern)])
    assert grants.cover(":".join(name)) is fits
    assert Grants("role", [*grants, "*"]).cover(":".join(name))


def test_where_roles_are_found() -> None:
    """Roles are in `roles` or `role`, as names or objects with names, or where a loader says."""

    class User:
        is_authenticated = True

        def __init__(self, **attributes: t.Any) -> None:
            vars(self).update(attributes)

    class Role:
        name = "reader"

    permissions = Permissions[t.Any](roles=ROLES)
    for user in (User(roles=["reader"]), User(roles=[Role()]), User(roles="reader")):
        assert permissions.grants(user, "loan:create")
    assert permissions.grants(User(role="reader"), "loan:create")
    for user in (User(), User(role=None), User(roles=[]), User(roles=["read"])):
        assert not permissions.grants(user, "loan:create")

    permissions.role_loader(lambda user: user.groups)
    assert permissions.grants(User(groups=["reader"]), "loan:create")
    assert not permissions.grants(User(roles=["reader"], groups=[]), "loan:create")


def test_changed_role() -> None:
    """A role that is defined anew grants what it says from then on."""
    permissions = Permissions[t.Any](roles=ROLES)
    permissions.define_role("reader", {"book:edit"})
    assert permissions.grants(PEOPLE["rita"], "book:edit")
    assert not permissions.grants(PEOPLE["rita"], "loan:create")
