"""Where Flask keeps the parts of an application that do no input or output.

In Erlen they live in :mod:`erlen.setup`, :mod:`erlen.scaffold` and :mod:`erlen.blueprints`; the
modules here have Flask's names for them.
"""
