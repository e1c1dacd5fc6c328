"""``erlen compat enable`` and what follows from it in new processes."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .conftest import Sandbox

WHO = "import flask; print(flask.__name__)"

GRANDCHILD = """
import multiprocessing, subprocess, sys

def child(queue):
    import flask
    queue.put(flask.__name__)

if __name__ == "__main__":
    import flask
    print(flask.__name__)
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=child, args=[queue])
    process.start()
    print(queue.get(timeout=30))
    process.join()
    code = "import flask; print(flask.__name__)"
    print(subprocess.check_output([sys.executable, "-c", code], text=True).strip())
"""


def enable(sandbox: Sandbox, *args: str) -> str:
    """Enable an environment with the command, which must succeed."""
    outcome = sandbox.run(sandbox.bin / "erlen", "compat", "enable", *args)
    assert outcome.code == 0, outcome.err
    return outcome.out


def test_enable_and_disable(sandbox: Sandbox) -> None:
    """Processes have the alias after enable, and not after disable."""
    assert sandbox.run("-c", WHO).err.endswith("ModuleNotFoundError: No module named 'flask'\n")
    out = enable(sandbox)
    pth = sandbox.site_packages / "erlen-compat.pth"
    assert f"Wrote {pth}" in out and f"Wrote {sandbox.bin / 'flask'}" in out
    assert sandbox.run("-c", WHO).out == "erlen\n"
    assert enable(sandbox) == out
    outcome = sandbox.run(sandbox.bin / "erlen", "compat", "disable")
    assert f"Removed {pth}" in outcome.out
    assert not pth.exists() and not (sandbox.bin / "flask").exists()
    assert sandbox.run("-c", WHO).code == 1
    outcome = sandbox.run(sandbox.bin / "erlen", "compat", "disable")
    assert "was not enabled" in outcome.out and outcome.code == 0


def test_descendants(sandbox: Sandbox) -> None:
    """Children of every kind have the alias."""
    enable(sandbox)
    script = sandbox.folder / "parent.py"
    script.write_text(GRANDCHILD)
    outcome = sandbox.run(str(script))
    assert outcome.out == "erlen\n" * 3, outcome.err


def test_flask_programs(sandbox: Sandbox) -> None:
    """``python -m flask`` and the ``flask`` command are there."""
    enable(sandbox)
    (sandbox.folder / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    as_module = sandbox.run("-m", "flask", "routes")
    as_command = sandbox.run(sandbox.bin / "flask", "routes")
    assert as_module.out == as_command.out != "", as_module.err + as_command.err
    assert "static" in as_module.out
    version = sandbox.run("-m", "flask", "--version")
    assert "3.1.3" in version.out, version
    assert sandbox.run("-m", "flask", "--help").out.startswith("Usage: python -m flask")
    assert sandbox.run(sandbox.bin / "flask", "--help").out.startswith("Usage: flask")


def test_metadata(sandbox: Sandbox) -> None:
    """The version is known without importing flask, and Erlen is not loaded for it."""
    enable(sandbox)
    out = sandbox.run_code("""
        import sys
        from importlib.metadata import version
        print(version("flask"), "erlen" in sys.modules)
    """)
    assert out == "3.1.3 False\n"


def test_idle_start(sandbox: Sandbox) -> None:
    """A process that does not ask for flask loads neither Erlen nor what it needs."""
    before = set(sandbox.run_code("import sys; print(*sys.modules)").split())
    enable(sandbox)
    after = set(sandbox.run_code("import sys; print(*sys.modules)").split())
    assert {name for name in after - before if name.startswith(("erlen", "werkzeug"))} == {
        "erlen.compat.alias"
    }
    assert "typing" not in after - before and "threading" not in after - before


def test_one_alias_module(sandbox: Sandbox) -> None:
    """The module that the .pth file loaded is the one that erlen.compat uses."""
    enable(sandbox)
    sandbox.run_code("""
        import sys
        early = sys.modules["erlen.compat.alias"]
        import erlen.compat
        from erlen.compat import alias
        assert early is alias and erlen.compat.is_installed()
        assert erlen.compat.install is early.install
        finders = [f for f in sys.meta_path if type(f).__module__ == "erlen.compat.alias"]
        erlen.compat.install()
        import flask
        assert flask is erlen and len(finders) == 2
        assert [f for f in sys.meta_path if type(f).__module__ == early.__name__] == finders
    """)


def test_legacy(sandbox: Sandbox) -> None:
    """Removed names can be served in the whole environment."""
    enable(sandbox, "--legacy", "Markup", "--legacy", "_request_ctx_stack")
    code = "from flask import Markup, _request_ctx_stack as s; print(Markup.__module__, s.top)"
    assert sandbox.run("-c", code).out == "markupsafe None\n"
    assert "Markup, _request_ctx_stack" in sandbox.run("-m", "erlen", "compat", "status").out
    outcome = sandbox.run("-m", "erlen", "compat", "enable", "--legacy", "Makup")
    assert outcome.code == 2 and "Did you mean 'Markup'?" in outcome.err


def test_flask_installed(sandbox: Sandbox) -> None:
    """An installed Flask is shadowed, its command left alone, its metadata its own."""
    sandbox.install_flask()
    own = sandbox.bin / "flask"
    own.write_text("#!/bin/sh\necho own\n")
    out = enable(sandbox)
    assert str(own) not in out.split()
    assert sandbox.run("-c", WHO).out == "erlen\n"
    code = "from importlib.metadata import version; print(version('flask'))"
    assert sandbox.run("-c", code).out == "3.0.9\n"
    sandbox.run(sandbox.bin / "erlen", "compat", "disable")
    assert own.read_text() == "#!/bin/sh\necho own\n"
    assert sandbox.run("-c", WHO).out == "flask\n"


def test_erlen_removed(sandbox: Sandbox) -> None:
    """A .pth file that outlives Erlen is silent."""
    enable(sandbox)
    (sandbox.site_packages / "erlen").unlink()
    pth = sandbox.site_packages / "erlen-compat.pth"
    source = sandbox.folder / "gone"
    pth.write_text(pth.read_text().replace("alias.py", f"{source.name}.py"))
    outcome = sandbox.run("-c", "print('fine')")
    assert (outcome.out, outcome.err) == ("fine\n", "")


def test_status(sandbox: Sandbox) -> None:
    """Status says whether the environment is enabled and what is installed."""
    out = sandbox.run("-m", "erlen", "compat", "status").out
    assert f"Environment: {sandbox.site_packages}\n" in out and "Enabled:     no\n" in out
    assert "flask: follows 3.1.3; the distribution: not installed\n" in out
    sandbox.install_flask()
    enable(sandbox)
    out = sandbox.run("-m", "erlen", "compat", "status").out
    assert "Enabled:     yes\n" in out and "the distribution: Flask 3.0.9\n" in out
    assert "Erlen answers" in out


def test_not_writable(sandbox: Sandbox) -> None:
    """An environment that cannot be changed is told in one line."""
    pth = sandbox.site_packages / "erlen-compat.pth"
    pth.mkdir()
    outcome = sandbox.run("-m", "erlen", "compat", "enable")
    assert outcome.code == 1
    assert outcome.err.startswith(f"Error: Cannot change the environment at {pth.parent}: ")
    assert outcome.err.count("\n") == 1
    outcome = sandbox.run("-m", "erlen", "compat", "disable")
    assert outcome.code == 1 and "Cannot change the environment" in outcome.err


def test_erlen_compat_variable(plain: Sandbox) -> None:
    """ERLEN_COMPAT=1 makes the erlen command serve the names; other values do not."""
    (plain.folder / "wsgi.py").write_text("from flask import Flask\napp = Flask('hello')\n")
    for program in ((plain.bin / "erlen",), ("-m", "erlen")):
        outcome = plain.run(*program, "routes", ERLEN_COMPAT="1")
        assert "static" in outcome.out, outcome.err
        for value in ("", "0", "false"):
            outcome = plain.run(*program, "routes", ERLEN_COMPAT=value)
            assert outcome.code != 0 and "No module named 'flask'" in outcome.err
