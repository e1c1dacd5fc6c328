"""What people see: the pages for browsers and the JSON for programs."""

from erlen import Erlen

from . import activity, api, catalogue, errors, loans, origin, readers


def init_app(app: Erlen) -> None:
    """Put the pages and the JSON endpoints into ``app``."""
    origin.init_app(app)
    errors.handle_errors(app, errors.show_error)
    for blueprint in (catalogue.bp, loans.bp, readers.bp, activity.bp, api.bp):
        app.register_blueprint(blueprint)
