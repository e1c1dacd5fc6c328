"""The pages: a view for each, with its form and its template."""

from __future__ import annotations

import typing as t
from functools import partial
from pathlib import Path

from erlen import (
    Blueprint,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from erlen.forms import FlaskForm, find_next
from erlen.forms.i18n import gettext
from erlen.login import (
    confirm_login,
    current_user,
    login_fresh,
    login_remembered,
    login_required,
    login_url,
)
from erlen.login.permissions import public
from erlen.login.utils import find_manager

from .devices import describe_device
from .forms import (
    ActionForm,
    ChangeAddressForm,
    ChangePasswordForm,
    ConfirmForm,
    ForgottenForm,
    LoginForm,
    RegisterForm,
    ResetForm,
)
from .languages import find_language
from .mail import MailNotSetUp
from .models import AccountMixin

if t.TYPE_CHECKING:
    from erlen import Response
    from erlen.typing import ResponseReturnValue

    from .extension import Accounts

__all__ = ["Pages", "make_blueprint"]

U = t.TypeVar("U", bound=AccountMixin)

#: The same whatever it was: which addresses have accounts is nobody's business.
LOGIN_REFUSED = "The address or the password is not right, or the address is not confirmed yet."

#: Bytes. No form of these pages is longer.
MAX_BODY = 64 * 1024

#: The pages: the endpoint, its address, its methods, and whether a login is needed.
RULES: tuple[tuple[str, str, tuple[str, ...], bool], ...] = (
    ("login", "/login", ("GET", "POST"), False),
    ("logout", "/logout", ("POST",), False),
    ("register", "/register", ("GET", "POST"), False),
    ("confirm", "/confirm/<token>", ("GET", "POST"), False),
    ("forgotten", "/forgotten", ("GET", "POST"), False),
    ("reset", "/reset/<token>", ("GET", "POST"), False),
    ("index", "/", ("GET",), True),
    ("password", "/password", ("GET", "POST"), True),
    ("address", "/address", ("GET", "POST"), True),
    ("confirm_address", "/address/<token>", ("GET", "POST"), False),
    ("sessions", "/sessions", ("GET",), True),
    ("end_session", "/sessions/<record_id>/end", ("POST",), True),
    ("end_others", "/sessions/end-others", ("POST",), True),
)

#: Pages that cannot be there without others, which they link to or send mails with links to.
NEEDS: t.Mapping[str, tuple[str, ...]] = {
    "register": ("confirm", "reset"),
    "forgotten": ("reset",),
    "address": ("confirm_address",),
    "sessions": ("end_session", "end_others"),
    "end_session": ("sessions",),
    "end_others": ("sessions",),
}


class Pages(t.Generic[U]):
    """The views. Derive from it to put others in their place, or other forms.

    A view's template has its name: ``accounts/login.html`` for :meth:`login`. One of that name
    among the application's own templates goes first.

    :param accounts: the extension.

    .. code-block:: python

        class OurPages(Pages[User]):
            register_form = OurRegisterForm

            def fill(self, user: User, form: FlaskForm) -> None:
                user.name = form.data["name"]

        accounts = Accounts(app, db, User, pages=OurPages)
    """

    login_form: type[FlaskForm] = LoginForm
    register_form: type[FlaskForm] = RegisterForm
    confirm_form: type[FlaskForm] = ConfirmForm
    forgotten_form: type[FlaskForm] = ForgottenForm
    reset_form: type[FlaskForm] = ResetForm
    password_form: type[FlaskForm] = ChangePasswordForm
    address_form: type[FlaskForm] = ChangeAddressForm

    def __init__(self, accounts: Accounts[U]) -> None:
        self.accounts = accounts

    # --- What is most often replaced ------------------------------------------------------------

    def fill(self, user: U, form: FlaskForm) -> None:
        """Set what else an account has, from fields that you have added to the form.

        :param user: the account, not stored yet, or stored and never confirmed.
        :param form: the form for registering, which is valid.
        """

    def home(self) -> str:
        """Return the address to go to after logging in or out, where nothing else says it.

        By default it is the application's root.
        """
        return (request.script_root or "") + "/"

    def login_page(self) -> str:
        """Return the address of the page to log in at.

        Where it is left out here, that is what the login manager says, or else :meth:`home`.
        """
        if "login" not in self.accounts.without:
            return url_for("accounts.login")
        view = find_manager(current_app).login_view
        return login_url(view) if view else self.home()

    def account_page(self) -> str:
        """Return the address to go to after the account was changed."""
        return self.home() if "index" in self.accounts.without else url_for("accounts.index")

    # --- In and out -----------------------------------------------------------------------------

    def login(self) -> ResponseReturnValue:
        """Ask for address and password, and log in."""
        form = self.login_form(**self._find_known())
        if not form.validate_on_submit():
            return self.show("login", form)
        data = form.data
        user = self.accounts.authenticate(data["email"], data["password"])
        if user is None:
            return self._refuse("login", form, gettext(LOGIN_REFUSED))
        self.accounts.log_in(user, remember=bool(data.get("remember")))
        return self.go_on()

    def logout(self) -> ResponseReturnValue:
        """Log out."""
        self._check_action()
        self.accounts.log_out()
        flash(gettext("You are logged out."))
        return redirect(self.home(), 303)

    # --- Registering ----------------------------------------------------------------------------

    def register(self) -> ResponseReturnValue:
        """Ask for address and password, and make an account."""
        form = self.register_form()
        if not form.validate_on_submit():
            return self.show("register", form)
        data = form.data
        self.accounts.register(data["email"], data["password"], lambda user: self.fill(user, form))
        return self.show("sent", purpose="confirm", email=data["email"])

    def confirm(self, token: str) -> ResponseReturnValue:
        """Ask for the password, and take the link as proof of the address.

        Opening the link is not enough: programs that look through mail for danger do that too.
        """
        claimed = self.accounts.find_claimed("confirm", token)
        if claimed is None:
            return self.show("gone", status=410)
        form = self.confirm_form()
        if not form.validate_on_submit():
            return self.show("confirm", form, email=claimed.email)
        user = self.accounts.confirm(token, form.data["password"])
        if user is None:
            return self._refuse_password("confirm", form, "password", email=claimed.email)
        self.accounts.log_in(user)
        flash(gettext("Your address is confirmed. Welcome."))
        return self.go_on()

    # --- Forgotten passwords --------------------------------------------------------------------

    def forgotten(self) -> ResponseReturnValue:
        """Ask for the address, and mail a link to it."""
        form = self.forgotten_form()
        if not form.validate_on_submit():
            return self.show("forgotten", form)
        self.accounts.send_reset(form.data["email"])
        return self.show("sent", purpose="reset", email=form.data["email"])

    def reset(self, token: str) -> ResponseReturnValue:
        """Ask for a new password in the place of a forgotten one."""
        user = self.accounts.find_claimed("reset", token)
        if user is None:
            return self.show("gone", status=410)
        form = self._open_password_form(self.reset_form, user)
        if not form.validate_on_submit():
            return self.show("reset", form, email=user.email)
        if self.accounts.reset(token, form.data["password"]) is None:
            return self.show("gone", status=410)
        flash(gettext("Your password is changed. Log in with the new one."))
        return redirect(self.login_page(), 303)

    # --- The account ----------------------------------------------------------------------------

    def index(self) -> ResponseReturnValue:
        """Show the account, and what can be changed in it."""
        return self.show("index")

    def password(self) -> ResponseReturnValue:
        """Ask for the present password and a new one."""
        user = self._user()
        form = self._open_password_form(self.password_form, user)
        if not form.validate_on_submit():
            return self.show("password", form)
        if not self.accounts.confirm_password(user, form.data["current"]):
            return self._refuse_password("password", form, "current")
        self.accounts.change_password(user, form.data["password"])
        flash(gettext("Your password is changed. All other devices are logged out."))
        return redirect(self.account_page(), 303)

    def address(self) -> ResponseReturnValue:
        """Ask for another address, and mail a link to it."""
        user = self._user()
        form = self.address_form()
        if not form.validate_on_submit():
            return self.show("address", form)
        if not self.accounts.confirm_password(user, form.data["current"]):
            return self._refuse_password("address", form, "current")
        self.accounts.send_address_change(user, form.data["email"])
        return self.show("sent", purpose="address", email=form.data["email"])

    def confirm_address(self, token: str) -> ResponseReturnValue:
        """Take a link as proof of a new address, after a button was pressed."""
        if self.accounts.find_claimed("address", token) is None:
            return self.show("gone", status=410)
        form = ActionForm()
        if not form.validate_on_submit():
            return self.show("confirm_address", form)
        if self.accounts.change_address(token) is None:
            return self.show("gone", status=410)
        flash(gettext("Your address is changed."))
        return redirect(self.account_page(), 303)

    # --- Sessions -------------------------------------------------------------------------------

    def sessions(self) -> ResponseReturnValue:
        """List where the user is logged in."""
        return self.show(
            "sessions",
            records=self.accounts.sessions_of(self._user()),
            device_of=describe_device,
            are_kept=current_app.session_interface.keeps_sessions,
        )

    def end_session(self, record_id: str) -> ResponseReturnValue:
        """Log out one of the user's other sessions, once the password was typed again."""
        self._check_action()
        user = self._user()
        records = {record.id: record for record in self.accounts.sessions_of(user)}
        if record_id in records:
            device = describe_device(records[record_id].user_agent)
            page = self._ask_again("end_session", user, device=device)
            if page is not None:
                return page
        if self.accounts.end_session(user, record_id):
            flash(gettext("That device is logged out."))
        else:
            flash(gettext("That session had ended already."))
        return redirect(url_for("accounts.sessions"), 303)

    def end_others(self) -> ResponseReturnValue:
        """Log out all other sessions, once the password was typed again."""
        self._check_action()
        user = self._user()
        page = self._ask_again("end_others", user)
        if page is not None:
            return page
        self.accounts.end_other_logins(user)
        flash(gettext("All other devices are logged out."))
        return redirect(url_for("accounts.sessions"), 303)

    def _ask_again(self, name: str, user: U, **values: t.Any) -> ResponseReturnValue | None:
        """Return the page that asks for the password again; ``None`` once that is done.

        A session that was left open, or stolen, must not throw the owner out elsewhere (OWASP
        ASVS 5.0, 7.5.2). Where the settings say that a login is enough, it must be a fresh one.
        """
        asks = current_app.config.get("ACCOUNTS_END_SESSIONS_WITH_PASSWORD", True)
        if login_fresh() and not (asks and user.password_hash):
            return None
        if not user.password_hash:
            view = find_manager(current_app).refresh_view or self.login_page()
            return redirect(login_url(view, url_for("accounts.sessions")), 303)
        if "password" not in request.form:
            return self.show(name, self.confirm_form(None), **values)
        form = self.confirm_form()
        if not form.validate():
            return self.show(name, form, **values)
        if not self.accounts.confirm_password(user, form.data["password"]):
            return self._refuse_password(name, form, "password", **values)
        confirm_login()
        return None

    # --- For views ------------------------------------------------------------------------------

    def show(
        self, name: str, form: FlaskForm | None = None, status: int = 200, **values: t.Any
    ) -> Response:
        """Return a page.

        :param name: the template's name, without folder and ending.
        :param form: the form on it; what is wrong in it makes the status 422.
        :param status: the status otherwise.
        :param values: what else the template is given.
        """
        if form is not None and form.errors:
            status = 422
        page = render_template(
            f"accounts/{name}.html",
            _=gettext,
            accounts=self.accounts,
            base_template=self.accounts.base_template,
            language=find_language(),
            login_page=self.login_page(),
            form=form,
            next=find_next(),
            action_form=partial(ActionForm, None),
            **values,
        )
        return make_response(page, status)

    def go_on(self) -> ResponseReturnValue:
        """Redirect to where the visitor was going, if that is on this site."""
        return redirect(find_next() or self.home(), 303)

    def _find_known(self) -> dict[str, t.Any]:
        """Return what the form for logging in begins with, for those who confirm a login.

        An empty box would end what is remembered.
        """
        if not current_user.is_authenticated:
            return {}
        return {"email": self._user().email, "remember": login_remembered()}

    def _user(self) -> U:
        # With LOGIN_DISABLED, in tests, there need not be anybody.
        if not current_user.is_authenticated:
            abort(401)
        user: U = current_user._get_current_object()
        return user

    def _check_action(self) -> None:
        form = ActionForm()
        if not form.validate():
            abort(
                400,
                gettext("The page was open for too long. Go back, load it anew, and try again."),
            )

    def _open_password_form(self, form_class: type[FlaskForm], user: U) -> FlaskForm:
        form = form_class()
        t.cast("t.Any", form).context = (user.email,)
        return form

    def _refuse_password(self, name: str, form: FlaskForm, field: str, **values: t.Any) -> Response:
        t.cast("t.Any", form[field]).errors = [gettext("The password is not right.")]
        return self.show(name, form, **values)

    def _refuse(self, name: str, form: FlaskForm, reason: str) -> Response:
        # With the form, not flashed: that would store a session for each that guesses.
        t.cast("t.Any", form).form_errors = [reason]
        return self.show(name, form)


def make_blueprint(accounts: Accounts[t.Any]) -> Blueprint:
    """Return the blueprint ``accounts`` with the pages.

    :param accounts: the extension.
    :raises ValueError: if it is to be without an endpoint that there is not, or that others need.
    """
    unknown = accounts.without - {name for name, *_ in RULES}
    if unknown:
        raise ValueError(f"There is no such page of accounts: {', '.join(sorted(unknown))}.")
    for name, needed in NEEDS.items():
        missing = accounts.without.intersection(needed)
        if missing and name not in accounts.without:
            raise ValueError(
                f"The page {name!r} needs {', '.join(map(repr, sorted(missing)))}, which you have"
                f" left out. Leave {name!r} out as well."
            )
    blueprint = Blueprint(
        "accounts",
        __name__,
        url_prefix=accounts.url_prefix,
        template_folder="templates",
        static_folder=str(Path(__file__).parent / "static"),
    )
    for name, rule, methods, needs_login in RULES:
        if name in accounts.without:
            continue
        view = _make_view(accounts.pages, name)
        blueprint.add_url_rule(
            rule,
            name,
            login_required(view) if needs_login else public(view),
            methods=list(methods),
        )
    blueprint.before_request(_limit_body)
    blueprint.after_request(_keep_private)
    return blueprint


def _make_view(pages: Pages[t.Any], name: str) -> t.Callable[..., t.Any]:
    view = getattr(pages, name)

    def show(**values: t.Any) -> t.Any:
        try:
            return view(**values)
        except MailNotSetUp as error:
            current_app.logger.error("%s", error)
            abort(503, gettext("No mail can be sent at the moment. Please try again later."))

    show.__name__ = name
    show.__doc__ = view.__doc__
    return show


def _limit_body() -> None:
    limit = request.max_content_length
    request.max_content_length = MAX_BODY if limit is None else min(limit, MAX_BODY)


def _keep_private(response: Response) -> Response:
    """Keep pages out of caches, and their addresses, with tokens in them, from other sites."""
    if request.endpoint != "accounts.static":
        response.headers["Cache-Control"] = "no-store"
        # Not "no-referrer": this site's own check of the referrer goes on.
        response.headers["Referrer-Policy"] = "same-origin"
    return response
