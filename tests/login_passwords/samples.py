"""Applications and stored hashes for the tests of passwords."""

from __future__ import annotations

import typing as t

from werkzeug.security import generate_password_hash

from erlen import Erlen, Flask, request
from erlen.login import hash_password, verify_and_update

#: What costs next to nothing, for tests in which the cost is not the point.
FAST = {"PASSWORD_ARGON2_MEMORY_COST": 64, "PASSWORD_ARGON2_TIME_COST": 1}

PASSWORD = "crème brûlée 42"

#: Hashes of that, as Django 5.2 stores them, with low costs.
DJANGO = {
    "pbkdf2_sha256": "pbkdf2_sha256$20$qIlDAcd2HVNpqPPArngyeV$"
    "FNmsLQJjmtt72vGbReaCyjo48TI7In1HTYEILDrAEsg=",
    "pbkdf2_sha1": "pbkdf2_sha1$20$Mf9RboPk6gFtfB0VSIZCe3$DbJ0PnBq5TgjZ9naxqp29cYfJOA=",
    "argon2": "argon2$argon2id$v=19$m=64,t=2,p=2$YkxhTVMwbmZVWGZIYWx0a3Jrc3JyVw$"
    "LBEcgwO+EglicfwiDkQtGJ7yepgZKMfnvE2yflYo/A4",
    "bcrypt_sha256": "bcrypt_sha256$$2b$04$rMFJogprHhKyys1HWeMTduWNR97CobqELziD9negGa7VaTbUCKpxK",
    "bcrypt": "bcrypt$$2b$04$hjwydVgnQq2CEPcIgBlX4.0iim3Gf5Q3/AXFWclz7gWIOXmeckoCm",
    "scrypt": "scrypt$16$Kt1Oe0zhB7ItrlxcV2igjj$8$5$t7qvo3GKgLSF5gWfZBp9zqfBZeeznnrOwbvNmM7QfPI0E0"
    "WqJI657HWvC5mgIMoHjg8SjJycrJCyGvv+CeDMLQ==",
}
#: The same by bcrypt alone.
BCRYPT = {"bcrypt alone": DJANGO["bcrypt"].removeprefix("bcrypt$")}
WERKZEUG = {
    method: generate_password_hash(PASSWORD, method)
    for method in ("scrypt:1024:8:1", "pbkdf2:sha256:20", "pbkdf2:sha512:20", "pbkdf2:sha1:20")
}
FOREIGN = {**DJANGO, **BCRYPT, **WERKZEUG}


def make_app(**config: t.Any) -> Flask:
    """Return an application whose hashes cost next to nothing.

    :param config: settings.
    """
    app = Erlen(__name__)
    app.config.update(FAST, **config)
    return app


def make_login_app(stored: dict[str, str], **config: t.Any) -> Flask:
    """Return an application with a page to log in at.

    :param stored: the stored hashes, by the names of the users; they are replaced at logins.
    :param config: settings.
    """
    app = make_app(**config)

    @app.post("/login")
    def log_in() -> tuple[str, int]:
        name = request.form["name"]
        check = verify_and_update(stored.get(name), request.form["password"])
        if check.new_hash:
            stored[name] = check.new_hash
        return ("in", 200) if check else ("out", 401)

    @app.post("/register")
    async def register() -> str:
        stored[request.form["name"]] = hash_password(request.form["password"])
        return "welcome"

    return app
