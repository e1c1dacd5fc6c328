"""A test client that is logged in."""

from __future__ import annotations

import typing as t

from erlen.testing import FlaskClient

from .stamps import make_stamp


class FlaskLoginClient(FlaskClient):
    """A test client that logs a user in before its first request.

    :param user: the user.
    :param fresh_login: whether the login counts as fresh.

    .. code-block:: python

        app.test_client_class = FlaskLoginClient
        client = app.test_client(user=user)
    """

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        user = kwargs.pop("user", None)
        fresh = kwargs.pop("fresh_login", True)
        super().__init__(*args, **kwargs)
        if not user:
            return
        user_id = user.get_id()
        with self.session_transaction() as session:
            session["_user_id"] = user_id
            session["_fresh"] = fresh
            stamp = make_stamp(self.application, user, user_id)
            if stamp is not None:
                session["_stamp"] = stamp
