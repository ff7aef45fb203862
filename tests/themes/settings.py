"""The settings of the tests with a theme of the admin, which ADMIN_THEME names."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

THEMES = {"django": [], "unfold": ["unfold"], "grappelli": ["grappelli"], "jazzmin": ["jazzmin"]}
"""apps by theme; each precedes ``django.contrib.admin``, whose templates it replaces"""

THEME = os.environ["ADMIN_THEME"]
INSTALLED_APPS = [*THEMES[THEME], *INSTALLED_APPS]
ROOT_URLCONF = "tests.themes.urls"
# Follow the colour scheme that the browser prefers, as the other themes do.
JAZZMIN_UI_TWEAKS = {"default_theme_mode": "auto"}
