"""Names that programs take from a module of Flask although they are only imported there.

``from flask.app import Rule`` works with Flask because its module happens to use the class. Erlen's
modules happen to use other names, so the alias answers for those that a program may reasonably
have taken from there: objects of Flask, Werkzeug, Jinja and Click, not of the standard library.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from .fallback import MISSING, add_fallback

_PROXIES = dict.fromkeys(("current_app", "g", "request", "session"), "erlen.globals")
_CONTEXTS = dict.fromkeys(("app_ctx", "request_ctx"), "erlen.globals")
_GLOBALS = _PROXIES | _CONTEXTS

#: Module of Erlen -> name -> where it is; after a colon its name there, none for the module itself.
INCIDENTAL: dict[str, dict[str, str]] = {
    # Submodules that are loaded once flask is.
    "erlen": {"sansio": "erlen.sansio:", "typing": "erlen.typing:"},
    "erlen.app": {
        **_GLOBALS,
        "BuildError": "erlen.routing",
        "Environment": "erlen.templating",
        "ImmutableDict": "werkzeug.datastructures",
        "MapAdapter": "erlen.routing",
        "Request": "erlen.wrappers",
        "Response": "erlen.wrappers",
        "Rule": "erlen.routing",
        "SecureCookieSessionInterface": "erlen.sessions",
        "SessionInterface": "erlen.sessions",
        "_make_timedelta": "erlen.setup",
        "get_flashed_messages": "erlen.helpers",
        "get_host": "werkzeug.wsgi",
        "send_from_directory": "erlen.helpers",
    },
    "erlen.blueprints": {
        **_GLOBALS,
        "AppGroup": "erlen.cli",
        "SansioBlueprint": "erlen.blueprints:Blueprint",
        "send_from_directory": "erlen.helpers",
    },
    "erlen.cli": {**_PROXIES, "import_string": "werkzeug.utils"},
    "erlen.debughelpers": {
        **_GLOBALS,
        "App": "erlen.setup",
        "BaseLoader": "jinja2",
        "Blueprint": "erlen.blueprints",
        "RequestRedirect": "erlen.routing",
    },
    "erlen.forms.csrf": {"g": "erlen.globals", "urlparse": "urllib.parse"},
    "erlen.forms.file": {"FileStorage": "werkzeug.datastructures"},
    "erlen.forms.form": {
        **_PROXIES,
        "CombinedMultiDict": "werkzeug.datastructures",
        "ImmutableMultiDict": "werkzeug.datastructures",
    },
    "erlen.globals": {
        "LocalProxy": "werkzeug.local",
        "_no_app_msg": "erlen.local:NO_APP_MESSAGE",
        "_no_req_msg": "erlen.local:NO_REQUEST_MESSAGE",
    },
    "erlen.helpers": {**_GLOBALS, "BaseResponse": "werkzeug.wrappers:Response"},
    "erlen.json": {**_PROXIES},
    "erlen.logging": {**_PROXIES},
    "erlen.login.login_manager": {
        "COOKIE_DURATION": "erlen.login.config",
        "COOKIE_HTTPONLY": "erlen.login.config",
        "COOKIE_NAME": "erlen.login.config",
        "COOKIE_SECURE": "erlen.login.config",
        "decode_cookie": "erlen.login.remember",
        "g": "erlen.globals",
        "request": "erlen.globals",
        "session": "erlen.globals",
    },
    "erlen.login.utils": {
        "COOKIE_NAME": "erlen.login.config",
        "has_request_context": "erlen.ctx",
        "url_for": "erlen.helpers",
    },
    "erlen.sansio.app": {
        "Aborter": "werkzeug.exceptions",
        "BadRequest": "werkzeug.exceptions",
        "BadRequestKeyError": "werkzeug.exceptions",
        "BuildError": "erlen.routing",
        "Config": "erlen.config",
        "ConfigAttribute": "erlen.config",
        "DefaultJSONProvider": "erlen.json.provider",
        "DispatchingJinjaLoader": "erlen.templating",
        "Environment": "erlen.templating",
        "JSONProvider": "erlen.json.provider",
        "Map": "erlen.routing",
        "Rule": "erlen.routing",
        "Scaffold": "erlen.scaffold",
        "_AppCtxGlobals": "erlen.ctx",
        "_endpoint_from_view_func": "erlen.scaffold",
        "_make_timedelta": "erlen.setup",
        "create_logger": "erlen.logging",
        "find_package": "erlen.scaffold",
        "get_debug_flag": "erlen.helpers",
        "setupmethod": "erlen.scaffold",
    },
    "erlen.sansio.blueprints": {
        "Scaffold": "erlen.scaffold",
        "_endpoint_from_view_func": "erlen.scaffold",
        "_sentinel": "erlen.scaffold",
        "setupmethod": "erlen.scaffold",
    },
    "erlen.sansio.scaffold": {
        "FileSystemLoader": "jinja2",
        "HTTPException": "werkzeug.exceptions",
        "_default_template_ctx_processor": "erlen.templating",
        "_find_package_path": "erlen.scaffold",
        "default_exceptions": "werkzeug.exceptions",
        "get_root_path": "erlen.helpers",
    },
    "erlen.sessions": {"BadSignature": "itsdangerous"},
    "erlen.templating": {**_GLOBALS},
    "erlen.testing": {
        "CliRunner": "click.testing",
        "Client": "werkzeug.test",
        "Result": "click.testing",
        "ScriptInfo": "erlen.cli",
        "SessionMixin": "erlen.sessions",
    },
    "erlen.views": {**_PROXIES},
    "erlen.wrappers": {**_PROXIES},
}


def serve(module: ModuleType) -> None:
    """Let a module answer for the names that Flask's module of that name has.

    :param module: a module of Erlen.
    """
    names = INCIDENTAL.get(module.__name__)
    if names is None:
        return

    def find(name: str) -> object:
        place = names.get(name)
        if place is None:
            return MISSING
        where, colon, other = place.partition(":")
        found = import_module(where)
        return found if colon and not other else getattr(found, other or name)

    add_fallback(module, find)
