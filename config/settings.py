"""Settings of the development and demo project, read from the environment by django-environ.

DATABASE_URL, HISTORY_DATABASE_URL   two databases; without them, two SQLite files in var/; on PostgreSQL with
                                     psycopg 3, "?pool=True" at the end of a URL adds a connection pool
DEBUG                                off by default; SECRET_KEY has a default with DEBUG only
SECRET_KEY, ALLOWED_HOSTS            required without DEBUG
HTTPS_SEEN_BY_PROXY                  the request header that a proxy sets to "https", such as X-Forwarded-Proto
"""

from pathlib import Path

import environ

from config.databases import database

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="for-development-only") if DEBUG else env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"] if DEBUG else [])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "kvstore",
    "history",
    "demo",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "history.middleware.ChangeContextMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

DATABASES = {
    "default": database(env, "DATABASE_URL", BASE_DIR / "var" / "default.sqlite3"),
    "student_module_history": database(
        env, "HISTORY_DATABASE_URL", BASE_DIR / "var" / "student_module_history.sqlite3"
    ),
}
DATABASE_ROUTERS = ["routers.StudentModuleHistoryRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

HISTORY_ANSWER_FORMATTERS = {"problem": "demo.blocks.problem.answer_text"}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "courseware"
LOGOUT_REDIRECT_URL = "login"

SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not DEBUG
# Load balancers call the health page by HTTP.
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_HSTS_SECONDS = 0 if DEBUG else 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
if HTTPS_HEADER := env.str("HTTPS_SEEN_BY_PROXY", default=""):
    SECURE_PROXY_SSL_HEADER = (f"HTTP_{HTTPS_HEADER.upper().replace('-', '_')}", "https")
