"""Potluck: who brings what to dinner."""

from collections.abc import Mapping
from typing import Any

from erlen import Erlen

from . import accounts, api, db, events


def create_app(test_config: Mapping[str, Any] | None = None) -> Erlen:
    """Make the application.

    :param test_config: configuration to use instead of the environment's.
    """
    app = Erlen(__name__, instance_relative_config=True)
    app.config.from_mapping(
        SECRET_KEY="dev",
        SQLALCHEMY_DATABASE_URI="sqlite:///potluck.db",
    )
    if test_config is None:
        app.config.from_prefixed_env("POTLUCK")
    else:
        app.config.from_mapping(test_config)

    db.init_app(app)
    accounts.login_manager.init_app(app)
    app.register_blueprint(accounts.bp)
    app.register_blueprint(events.bp)
    app.register_blueprint(api.bp)
    return app
