"""Forms in several steps: one page after the other, with a way back.

What was sent on each step is kept as it was sent, in the session or in a signed hidden field, and
at the end all of it is validated once more, so that nothing gets past a step that was left out.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from functools import cached_property

from itsdangerous import BadData, URLSafeTimedSerializer
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from erlen import current_app, request, session

from .base import Field, UnboundField
from .fields import PasswordField
from .form import FlaskForm
from .i18n import gettext
from .rendering import FormView
from .submission import SUBMIT_METHODS
from .widgets import FileInput

#: What the button that goes back is called.
BACK_BUTTON = "_step_back"
#: The hidden field that says which step was sent.
STEP_FIELD = "_step"
#: The hidden field with what was sent before.
STATE_FIELD = "_steps_state"

# Which step is shown, beside what was sent on each.
_AT = "@"
# The cookie of a session holds 4 KiB; this leaves room for what else is in it.
_MAX_SESSION = 2_500
_MAX_FIELD = 100_000

Pairs: t.TypeAlias = "list[list[str]]"


class Steps:
    """A form in several steps.

    :param name: a name for it, unique in the application.
    :param forms: the form of each step, by the step's name, in order.
    :param labels: what to call the steps, by their names; by default the names.
    :param store: where what was sent is kept until the end. ``"session"``: in the signed session,
        at most 2,500 characters; a reload or a second window goes on with the same. ``"field"``: in
        a signed hidden field of the page, at most 100,000 characters; each window has its own, and
        leaving the page forgets it. Both are signed, not encrypted: who sent it can read it.
    :param max_age: after how many seconds a hidden field is no longer accepted.
    :raises ValueError: where there is no step, or a step before the last has fields for passwords
        or files: those are not kept.

    .. code-block:: python

        joining = Steps("join", {"name": NameForm, "address": AddressForm, "terms": TermsForm})

        @app.route("/join", methods=["GET", "POST"])
        def join():
            steps = joining.open()
            if steps.finished:
                create_member(**steps.data["name"], **steps.data["address"])
                steps.clear()
                return redirect(url_for("welcome"))
            return render_template("join.html", steps=steps)
    """

    def __init__(
        self,
        name: str,
        forms: Mapping[str, type[FlaskForm]],
        *,
        labels: Mapping[str, str] | None = None,
        store: t.Literal["session", "field"] = "session",
        max_age: int = 24 * 3600,
    ) -> None:
        if not forms:
            raise ValueError(f"The form {name!r} has no steps.")
        if store not in {"session", "field"}:
            raise ValueError(f"What steps send is kept in 'session' or 'field', not in {store!r}.")
        self.name = name
        self.forms = dict(forms)
        self.labels = {**{step: step.replace("_", " ").title() for step in forms}, **(labels or {})}
        self.store = store
        self.max_age = max_age
        for step, form_class in list(self.forms.items())[:-1]:
            _refuse_unkept(step, form_class)

    def open(self) -> Progress:
        """Return how far the visitor has come, with what the current request sent taken in."""
        progress = Progress(self, self._load())
        progress._advance()
        return progress

    def _load(self) -> dict[str, Pairs]:
        """Return what was kept of each step."""
        state: t.Any = session.get(self._key) if self.store == "session" else self._read_field()
        if not isinstance(state, dict):
            return {}
        return {step: pairs for step, pairs in state.items() if step in self.forms or step == _AT}

    def _read_field(self) -> t.Any:
        text = request.form.get(STATE_FIELD, "") if request.method in SUBMIT_METHODS else ""
        try:
            return self._serializer.loads(text, max_age=self.max_age) if text else None
        except BadData:
            # Changed by somebody, or too old: the first step comes again.
            return None

    @property
    def _key(self) -> str:
        return f"_steps_{self.name}"

    @property
    def _serializer(self) -> URLSafeTimedSerializer:
        key = current_app.secret_key
        if not key:
            raise RuntimeError(
                "Steps in a hidden field need a secret key. Set 'SECRET_KEY' in the configuration."
            )
        return URLSafeTimedSerializer(key, salt=f"erlen.forms.steps.{self.name}")


class Progress:
    """How far a visitor has come in a form of several steps.

    :param steps: the form.
    :param state: what was sent on each step so far.
    """

    def __init__(self, steps: Steps, state: dict[str, t.Any]) -> None:
        self.steps = steps
        at = state.pop(_AT, None)
        self._state: dict[str, Pairs] = state
        #: Whether all steps are sent and valid; the data are in :attr:`data` then.
        self.finished = False
        #: Whether the request led to another step. With the session as the store, a redirect to
        #: the same address then keeps a reload from sending the form again.
        self.moved = False
        self._forms: dict[str, FlaskForm] = {}
        first = next((name for name in self.names if name not in state), self.names[-1])
        #: The name of the step to show.
        self.step: str = at if at in self.names and self._may_show(at) else first
        #: The form of that step, with what was sent and what is wrong with it.
        self.form: FlaskForm = self._make(self.step)

    def _advance(self) -> None:
        """Take in what the current request sent: go on, go back, or show what is wrong."""
        sent = request.form.get(STEP_FIELD) if request.method in SUBMIT_METHODS else None
        if sent is None or sent not in self.steps.forms or not self._may_show(sent):
            return
        self.step, self.form = sent, self.steps.forms[sent]()
        back = BACK_BUTTON in request.form
        if not back and not self.form.validate():
            return
        position = self.names.index(sent)
        if not back and position == len(self.names) - 1:
            self._finish()
        elif self._keep():
            self.moved = True
            self.step = self.names[max(0, position - 1) if back else position + 1]
            self.form = self._make(self.step)
            self._store()

    def _finish(self) -> None:
        """Validate the steps before the last once more; show the first that is not right."""
        self._forms = {step: self._make(step) for step in self.names[:-1]}
        for step, form in self._forms.items():
            # A name that was free an hour ago may be taken now.
            if not _is_valid(form):
                self.step, self.form = step, form
                return
        self._forms[self.step] = self.form
        self.finished = True

    @cached_property
    def data(self) -> dict[str, dict[str, t.Any]]:
        """The data of all steps by their names, without tokens; once they are finished.

        :raises RuntimeError: before.
        """
        if not self.finished:
            raise RuntimeError("The steps are not finished. Look at 'finished' before 'data'.")
        return {
            step: {name: field.data for name, field in _own_fields(form)}
            for step, form in self._forms.items()
        }

    def clear(self) -> None:
        """Forget what was sent, once it is saved."""
        self._state = {}
        if self.steps.store == "session":
            session.pop(self.steps._key, None)

    @property
    def names(self) -> list[str]:
        """The names of all steps."""
        return list(self.steps.forms)

    @property
    def number(self) -> int:
        """Which step is shown, from 1."""
        return self.names.index(self.step) + 1

    @property
    def label(self) -> str:
        """What the step is called."""
        return self.steps.labels[self.step]

    @property
    def hidden(self) -> Markup:
        """The hidden fields that the form of a step needs, for templates that write it out."""
        fields = [(STEP_FIELD, self.step)]
        if self.steps.store == "field":
            fields.append((STATE_FIELD, self._dump()))
        return Markup("\n").join(
            Markup('<input type="hidden" name="{}" value="{}">').format(name, value)
            for name, value in fields
        )

    def render(self, **options: t.Any) -> Markup:
        """Return the list of steps and the form of the one to show as HTML.

        :param options: as of :meth:`erlen.forms.rendering.RenderedForm.render`; besides, ``next``,
            ``back`` and ``finish`` are what the buttons say.
        """
        texts = {
            "next": options.pop("next", None) or gettext("Continue"),
            "back": options.pop("back", None) or gettext("Back"),
            "finish": options.pop("finish", None) or gettext("Finish"),
        }
        view = FormView(self.form, options)
        return view.use("steps.html", form=view, steps=self, texts=texts, back_button=BACK_BUTTON)

    def _make(self, step: str) -> FlaskForm:
        """Return the form of a step with what was kept of it."""
        form_class = self.steps.forms[step]
        if step not in self._state:
            return form_class(formdata=None)
        return form_class(formdata=MultiDict((name, value) for name, value in self._state[step]))

    def _may_show(self, step: str) -> bool:
        """Return whether all steps before one were sent."""
        return all(name in self._state for name in self.names[: self.names.index(step)])

    def _keep(self) -> bool:
        """Keep what the current step sent, if there is room for it."""
        names = tuple(
            field.name
            for _, field in _own_fields(self.form)
            if not isinstance(field, PasswordField)
        )
        before = self._state.get(self.step)
        self._state[self.step] = [
            [name, value]
            for name, value in request.form.items(multi=True)
            if name in names or name.startswith(tuple(f"{known}-" for known in names))
        ]
        limit = _MAX_SESSION if self.steps.store == "session" else _MAX_FIELD
        if len(json.dumps(self._state)) <= limit:
            return True
        self._state.pop(self.step)
        if before is not None:
            self._state[self.step] = before
        self.form.form_errors.append(gettext("This is more than can be kept. Please shorten it."))
        return False

    def _store(self) -> None:
        if self.steps.store == "session":
            session[self.steps._key] = {**self._state, _AT: self.step}

    def _dump(self) -> str:
        return self.steps._serializer.dumps({**self._state, _AT: self.step})


def _own_fields(form: FlaskForm) -> list[tuple[str, Field]]:
    """Return the fields of a form by their names, without the token."""
    token = form.meta.csrf_field_name
    return [(name, field) for name, field in form._fields.items() if name != token]


def _is_valid(form: FlaskForm) -> bool:
    """Validate a form whose token was checked when it was sent."""
    form.validate()
    token = form._fields.get(form.meta.csrf_field_name)
    if token is not None:
        token.errors = []
    return not form.errors


def _refuse_unkept(step: str, form_class: type[FlaskForm]) -> None:
    """Refuse fields that cannot be kept from one step to the next."""
    for name in dir(form_class):
        unbound = getattr(form_class, name, None)
        if not isinstance(unbound, UnboundField):
            continue
        kind = unbound.field_class
        if issubclass(kind, PasswordField) or isinstance(kind.widget, FileInput):
            raise ValueError(
                f"The field {name!r} of the step {step!r} is for passwords or files, which are not"
                " kept from one step to the next. Put it into the last step."
            )
