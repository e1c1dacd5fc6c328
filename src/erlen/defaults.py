"""The two tables of default configuration: Flask's, and today's.

This is all in which the classes ``Flask`` and ``Erlen`` differ.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta

from werkzeug.datastructures import ImmutableDict

#: What :class:`erlen.Flask` starts with: the defaults of Flask 3.1, key by key.
FLASK_DEFAULTS: ImmutableDict[str, t.Any] = ImmutableDict(
    {
        "APPLICATION_ROOT": "/",
        "DEBUG": None,
        "EXPLAIN_TEMPLATE_LOADING": False,
        "MAX_CONTENT_LENGTH": None,
        "MAX_COOKIE_SIZE": 4093,
        "MAX_FORM_MEMORY_SIZE": 500_000,
        "MAX_FORM_PARTS": 1_000,
        "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
        "PREFERRED_URL_SCHEME": "http",
        "PROPAGATE_EXCEPTIONS": None,
        "PROVIDE_AUTOMATIC_OPTIONS": True,
        "SECRET_KEY": None,
        "SECRET_KEY_FALLBACKS": None,
        "SEND_FILE_MAX_AGE_DEFAULT": None,
        "SERVER_NAME": None,
        "SESSION_COOKIE_DOMAIN": None,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_NAME": "session",
        "SESSION_COOKIE_PARTITIONED": False,
        "SESSION_COOKIE_PATH": None,
        "SESSION_COOKIE_SAMESITE": None,
        "SESSION_COOKIE_SECURE": False,
        "SESSION_REFRESH_EACH_REQUEST": True,
        "TEMPLATES_AUTO_RELOAD": None,
        "TESTING": False,
        "TRAP_BAD_REQUEST_ERRORS": None,
        "TRAP_HTTP_EXCEPTIONS": False,
        "TRUSTED_HOSTS": None,
        "USE_X_SENDFILE": False,
    }
)

#: What :class:`erlen.Erlen` starts with.
ERLEN_DEFAULTS: ImmutableDict[str, t.Any] = ImmutableDict(
    FLASK_DEFAULTS
    | {
        # A cookie without SameSite goes out with form posts from foreign sites, in browsers that
        # do not assume "Lax" by themselves (Safari, Firefox). "Lax" still follows links.
        "SESSION_COOKIE_SAMESITE": "Lax",
        # Scripts have no business with the session; kept here so that the table shows it.
        "SESSION_COOKIE_HTTPONLY": True,
        # "Secure" for what came over https. A plain True would lose the session on
        # http://localhost in browsers that refuse Secure cookies there (Safari).
        "SESSION_COOKIE_SECURE": "auto",
        # A response that sets a session cookie must not be handed to others by a shared cache
        # (CVE-2023-30861); some caches ignore Vary. RFC 9111, section 7.3.
        "SESSION_CACHE_CONTROL": "private",
        # A session on the server ends some day, however much it is used: a stolen one does not
        # live for ever (OWASP ASVS 5.0, 7.3.2).
        "SESSION_LIFETIME": timedelta(days=90),
        # Without a limit one request may fill the disk: forms are spooled there. Views that take
        # more raise request.max_content_length for themselves.
        "MAX_CONTENT_LENGTH": 16 * 1024 * 1024,
        # Fields that are not files are held in memory: text, which seldom passes 100 kB.
        "MAX_FORM_MEMORY_SIZE": 500_000,
        # Each part of a multipart form costs objects however small it is.
        "MAX_FORM_PARTS": 1_000,
        # Set on each response that does not have them. Static and harmless to pages that behave:
        # no guessing of content types (uploads shown as scripts), no framing by foreign sites
        # (clickjacking), no paths and queries in Referer to foreign sites, no handle on our
        # window for foreign openers, with pop-ups for signing in still working.
        "DEFAULT_RESPONSE_HEADERS": ImmutableDict(
            {
                "X-Content-Type-Options": "nosniff",
                "X-Frame-Options": "SAMEORIGIN",
                "Referrer-Policy": "strict-origin-when-cross-origin",
                "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
            }
        ),
        # Browsers say where a request comes from; what they say cannot be forged by a page, and
        # needs no token in it. The token decides where they are silent.
        "WTF_CSRF_FETCH_METADATA": True,
        # No page can make a browser send such a header in a visitor's name, as it does a cookie.
        "WTF_CSRF_EXEMPT_BEARER": True,
        # A program that speaks JSON cannot read an HTML page that says what is wrong.
        "WTF_CSRF_JSON_ERRORS": True,
        # The same secret in each compressed response can be guessed by its length (BREACH).
        "WTF_CSRF_MASK_TOKENS": True,
        # Fields read text. A number or an object, taken as it is, makes validators raise.
        "WTF_FLATTEN_JSON": True,
        # Seconds. A captcha service that does not answer must not hold workers for ever.
        "RECAPTCHA_TIMEOUT": 10,
        # Whoever knew a visitor's session before the login knows nothing after it, and what another
        # user has left in it is gone (session fixation, CWE-384).
        "LOGIN_RENEW_SESSION": True,
        # The address that a session is used from. Anybody can write X-Forwarded-For; which proxies
        # to believe is said with werkzeug's ProxyFix.
        "LOGIN_TRUST_FORWARDED_FOR": False,
        # Requests that share an application context, as in tests, do not share their user.
        "LOGIN_USER_PER_REQUEST": True,
        # A page that does not show the user does not load it.
        "LOGIN_LAZY_TEMPLATES": True,
        # Flask-Login's cookie is good for ever, whoever has a copy of it, even after a logout.
        "REMEMBER_COOKIE_FORMAT": "token",
        # The folder, relative to the instance folder, where logouts note what they have ended.
        "REMEMBER_COOKIE_ENDED": "ended-logins",
        # As those of the session's cookie, above.
        "REMEMBER_COOKIE_HTTPONLY": True,
        "REMEMBER_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_SECURE": "auto",
        # A year, Flask-Login's default, is long for a computer that was given away.
        "REMEMBER_COOKIE_DURATION": timedelta(days=30),
        # Engines of erlen.db. A connection that the server has closed meanwhile is found out, for
        # one small round trip, and replaced; otherwise a restart of the database fails the first
        # request of each pooled connection. A request that gets no connection gives up before
        # the servers in front do (usually 30 seconds).
        "SQLALCHEMY_ENGINE_DEFAULTS": ImmutableDict({"pool_pre_ping": True, "pool_timeout": 10}),
        # The drivers that the extras bring, for URLs that name none ("postgresql://…").
        "SQLALCHEMY_DRIVERS": ImmutableDict(
            {
                "postgres": "postgresql+psycopg",
                "postgresql": "postgresql+psycopg",
                "mysql": "mysql+pymysql",
                "mariadb": "mariadb+pymysql",
            }
        ),
        # SQLite's own defaults are from before the Web: readers and writers lock each other out,
        # and foreign keys are not looked at. Writers wait for each other up to busy_timeout
        # milliseconds.
        "SQLALCHEMY_SQLITE_PRAGMAS": ImmutableDict(
            {"journal_mode": "WAL", "foreign_keys": "ON", "busy_timeout": 10_000}
        ),
        # Transactions take the write lock with the first statement that writes. Taken later, it
        # is refused at once where somebody else wrote in between.
        "SQLALCHEMY_SQLITE_BEGIN": "IMMEDIATE",
        # Values that a database cannot hold are answered with 400, a database that is down or full
        # with 503, instead of 500.
        "SQLALCHEMY_ERROR_RESPONSES": True,
        # Warn of N+1 queries in debug mode and in tests.
        "SQLALCHEMY_N_PLUS_ONE": "auto",
        # On an event loop, db.session uses the asynchronous driver, and other requests go on.
        "SQLALCHEMY_COOPERATIVE": True,
        # Migrations by erlen.migrate notice changed server defaults too.
        "MIGRATE_COMPARE_SERVER_DEFAULT": True,
        # An upgrade looks for what fails on rows or loses data before it begins.
        "MIGRATE_LINT": True,
        # Seconds. A statement that waits for a table keeps all others waiting behind it.
        "MIGRATE_LOCK_TIMEOUT": 10,
    }
)
