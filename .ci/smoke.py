"""What a fresh installation of the wheel must be able to do, with nothing else installed.

Run by the interpreter of that installation, in an empty directory outside the sources.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import sys


def main() -> None:
    """Run every check; the first that fails ends the program."""
    check_installation()
    check_application()
    check_command_line()
    check_alias()
    print("The wheel works.")


def check_installation() -> None:
    """The package comes from the wheel, typed, and brings neither Flask nor any extra."""
    import erlen

    assert "site-packages" in erlen.__file__, erlen.__file__
    assert importlib.metadata.version("erlen") == "0.1.0"
    assert pathlib.Path(erlen.__file__).with_name("py.typed").is_file()
    for name in ("flask", "sqlalchemy", "msgspec", "granian"):
        assert importlib.util.find_spec(name) is None, f"{name} is installed"


def check_application() -> None:
    """Views, JSON, templates, sessions, flashed messages and static files answer."""
    from erlen import Erlen, flash, get_flashed_messages, render_template, session

    here = pathlib.Path.cwd()
    (here / "templates").mkdir()
    (here / "templates" / "hello.html").write_text("<h1>Hello {{ name }}</h1>")
    (here / "static").mkdir()
    (here / "static" / "site.css").write_text("h1 { color: green }")

    app = Erlen("smoke", root_path=str(here))
    app.secret_key = "for this check"

    @app.get("/")
    def index() -> dict[str, str]:
        return {"hello": "world"}

    @app.get("/hello/<name>")
    def hello(name: str) -> str:
        return render_template("hello.html", name=name)

    @app.post("/count")
    def count() -> dict[str, int]:
        session["count"] = session.get("count", 0) + 1
        flash("counted")
        return {"count": session["count"]}

    @app.get("/messages")
    def messages() -> list[str]:
        return list(get_flashed_messages())  # type: ignore[arg-type]

    # Cookies of Erlen applications travel over HTTPS alone.
    client = app.test_client()
    secure = {"base_url": "https://localhost"}
    assert client.get("/").json == {"hello": "world"}
    assert client.get("/hello/<you>").text == "<h1>Hello &lt;you&gt;</h1>"
    assert client.post("/count", **secure).json == {"count": 1}
    assert client.post("/count", **secure).json == {"count": 2}
    assert client.get("/messages", **secure).json == ["counted", "counted"]
    assert client.get("/missing").status_code == 404
    assert client.put("/").status_code == 405
    with client.get("/static/site.css") as response:
        assert response.text == "h1 { color: green }"


def check_command_line() -> None:
    """The `erlen` command finds an application and lists its routes."""
    pathlib.Path("hello.py").write_text(
        "from erlen import Erlen\n\n"
        "app = Erlen(__name__)\n\n"
        '@app.get("/hello/<name>")\n'
        "def hello(name):\n"
        '    return {"hello": name}\n'
    )
    assert "0.1.0" in run("erlen", "--version")
    routes = run("erlen", "--app", "hello", "routes")
    assert "/hello/<name>" in routes, routes
    assert "hello" in run(sys.executable, "-m", "erlen", "--app", "hello", "routes")


def check_alias() -> None:
    """An application written for Flask runs, though Flask is not installed."""
    pathlib.Path("flasky.py").write_text(
        "from flask import Flask, jsonify\n\n"
        "app = Flask(__name__)\n\n"
        '@app.route("/")\n'
        "def index():\n"
        "    return jsonify(module=Flask.__module__)\n\n"
        'if __name__ == "__main__":\n'
        '    print(app.test_client().get("/").text)\n'
    )
    answer = run(sys.executable, "-m", "erlen.compat", "flasky.py")
    assert "module" in answer, answer


def run(*command: str) -> str:
    """Run a command, which must succeed, and return what it printed."""
    environ = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


if __name__ == "__main__":
    main()
