"""Accounts: ready-made pages to register, log in and out, and mail from an application.

.. code-block:: python

    from erlen import Erlen
    from erlen.accounts import AccountMixin, Accounts
    from erlen.db import Model, SQLAlchemy
    from sqlalchemy.orm import Mapped, mapped_column

    db = SQLAlchemy(model_class=Model)

    class User(AccountMixin, Model):
        id: Mapped[int] = mapped_column(primary_key=True)

    app = Erlen(__name__)
    app.config["SECRET_KEY"] = "long, random, and kept to yourself"
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///app.db"
    db.init_app(app)
    accounts = Accounts(app, db, User)
"""

from __future__ import annotations

from .addresses import AddressRefused as AddressRefused
from .addresses import clean_address as clean_address
from .attempts import AttemptStore as AttemptStore
from .attempts import DatabaseAttempts as DatabaseAttempts
from .attempts import Limit as Limit
from .attempts import MemoryAttempts as MemoryAttempts
from .attempts import attempts_table as attempts_table
from .extension import Accounts as Accounts
from .mail import Mail as Mail
from .mail import MailNotSetUp as MailNotSetUp
from .mailers import ConsoleMailer as ConsoleMailer
from .mailers import FileMailer as FileMailer
from .mailers import Mailer as Mailer
from .mailers import MailNotSecure as MailNotSecure
from .mailers import MemoryMailer as MemoryMailer
from .mailers import SMTPMailer as SMTPMailer
from .messages import Message as Message
from .messages import MessageRefused as MessageRefused
from .models import AccountMixin as AccountMixin
from .pages import Pages as Pages
