"""Programs that import Flask-WTF get the forms of Erlen, under both names the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: What Flask-WTF 1.3 has in which module, besides what its own tests use.
NAMES = {
    "flask_wtf": "CSRFProtect FlaskForm Form Recaptcha RecaptchaField RecaptchaWidget __version__",
    "flask_wtf.csrf": (
        "CSRF CSRFError CSRFProtect _FlaskFormCSRF _get_config csrf_meta_tag generate_csrf logger"
        " same_origin validate_csrf BadRequest ValidationError g request session current_app"
    ),
    "flask_wtf.file": (
        "FileAllowed FileField FileRequired FileSize MultipleFileField file_allowed file_required"
        " file_size FileStorage"
    ),
    "flask_wtf.form": (
        "FlaskForm Form SUBMIT_METHODS _Auto _is_submitted current_app request session"
        " CombinedMultiDict ImmutableMultiDict translations"
    ),
    "flask_wtf.i18n": "Translations translations",
    "flask_wtf.recaptcha": "Recaptcha RecaptchaField RecaptchaWidget",
    "flask_wtf.recaptcha.fields": "RecaptchaField",
    "flask_wtf.recaptcha.validators": (
        "Recaptcha RECAPTCHA_ERROR_CODES RECAPTCHA_VERIFY_SERVER_DEFAULT http"
    ),
    "flask_wtf.recaptcha.widgets": (
        "RecaptchaWidget RECAPTCHA_SCRIPT_DEFAULT RECAPTCHA_DIV_CLASS_DEFAULT"
    ),
}


def run(code: str, tmp_path: Path) -> str:
    """Run code in a process of its own, where both names are served, and return what it prints."""
    code = f"import erlen.compat; erlen.compat.install()\n{code}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names(tmp_path: Path) -> None:
    """Each name is where Flask-WTF has it."""
    code = f"""
from importlib import import_module
for module, names in {NAMES!r}.items():
    for name in names.split():
        getattr(import_module(module), name)
"""
    run(code, tmp_path)


@pytest.mark.parametrize("first", ["flask_wtf.csrf", "erlen.forms.csrf"])
def test_one_module_under_two_names(tmp_path: Path, first: str) -> None:
    """The modules are the same, whichever name comes first, so classes exist once."""
    code = f"""
import {first}
import flask_wtf.csrf, flask_wtf.recaptcha.fields, erlen.forms.recaptcha.fields
from flask_wtf import FlaskForm
from erlen.forms import FlaskForm as Same
assert FlaskForm is Same
assert flask_wtf.csrf is erlen.forms.csrf
assert flask_wtf.recaptcha.fields is erlen.forms.recaptcha.fields
import wtforms
assert issubclass(FlaskForm, flask_wtf.Form) and issubclass(flask_wtf.Form, wtforms.Form)
"""
    run(code, tmp_path)


def test_version(tmp_path: Path) -> None:
    """Both places where programs look for the version answer."""
    code = """
import flask_wtf
from importlib.metadata import version
print(flask_wtf.__version__, version("Flask-WTF"))
"""
    assert run(code, tmp_path) == "1.3.0 1.3.0\n"


def test_without_wtforms(tmp_path: Path) -> None:
    """Where the extra is not installed, the error says what to do."""
    code = """
import sys
sys.modules["wtforms"] = None
try:
    import flask_wtf
except ModuleNotFoundError as error:
    print(error.name, error)
"""
    output = run(code, tmp_path)
    assert output.startswith("wtforms erlen.forms needs WTForms")
    assert "pip install 'erlen[forms]'" in output
