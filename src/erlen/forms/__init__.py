"""Forms: fields, validation, rendering, uploads, and protection from forged requests."""

from __future__ import annotations

from .csrf import CSRFError as CSRFError
from .csrf import CSRFProtect as CSRFProtect
from .csrf import csrf_meta_tag as csrf_meta_tag
from .csrf import generate_csrf as generate_csrf
from .csrf import renew_csrf as renew_csrf
from .csrf import validate_csrf as validate_csrf
from .form import FlaskForm as FlaskForm
from .form import Form as Form
from .i18n import gettext as gettext
from .i18n import lazy_gettext as lazy_gettext
from .recaptcha import Recaptcha as Recaptcha
from .recaptcha import RecaptchaField as RecaptchaField
from .recaptcha import RecaptchaWidget as RecaptchaWidget
from .redirects import find_next as find_next
from .redirects import is_safe_target as is_safe_target
from .redirects import redirect_to_next as redirect_to_next
