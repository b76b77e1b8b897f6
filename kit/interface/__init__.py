"""The design system of all faces: layouts, components, words in two languages, and the files that pages load."""

from kit.interface.errors import error_page, workspace_state_page
from kit.interface.forms import Form, field_errors
from kit.interface.i18n import LOCALES, N_, Translator, locale_of, translator
from kit.interface.looks import Look, look_of
from kit.interface.pages import engine, initials, page, render
from kit.interface.static_files import asset, static_app

__all__ = [
    "LOCALES",
    "N_",
    "Form",
    "Look",
    "Translator",
    "asset",
    "engine",
    "error_page",
    "field_errors",
    "initials",
    "locale_of",
    "look_of",
    "page",
    "render",
    "static_app",
    "translator",
    "workspace_state_page",
]
