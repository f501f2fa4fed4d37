"""Django's settings, all from the environment (``core/config.py`` declares every variable)."""

import base64
import hashlib
from pathlib import Path

import dj_database_url

from tocsin.core import config, log, loglink, redis

config.load_env_file()
log.configure(config.text("LOG_LEVEL").upper())

BASE = Path(__file__).parent
DATA_DIR = config.data_dir()
DEBUG = config.flag("DJANGO_DEBUG")
SECRET_KEY = config.kept_secret("secret-key", config.text("DJANGO_SECRET_KEY"))
ALLOWED_HOSTS = config.words("DJANGO_ALLOWED_HOSTS") or config.own_hosts()
CSRF_TRUSTED_ORIGINS = [config.public_url()]

# Any text serves as a key: Fernet's 32 bytes are made of it.
SECRET_KEYS = [
    base64.urlsafe_b64encode(hashlib.sha256(key.strip().encode()).digest())
    for key in config.kept_secret("secret-keys", config.text("TOCSIN_SECRET_KEYS")).split(",")
    if key.strip()
]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "tocsin.accounts",
    "tocsin.alerts",
    "tocsin.checkers",
    "tocsin.intelligence",
    "tocsin.notify",
    "tocsin.fleet",
    "tocsin.orchestration",
    "tocsin.web",
    "tocsin.api",
    "tocsin.chat",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tocsin.web.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "tocsin.web.middleware.CommonExceptForProbes",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "tocsin.urls"
ASGI_APPLICATION = "tocsin.asgi.application"
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

_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # Every commit reaches the disk. Checkpoints are the worker's; the threshold here is a last resort.
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384;"
        "PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=16384; PRAGMA journal_size_limit=67108864"
    ),
}
DATABASES = {
    "default": dj_database_url.parse(
        config.text("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'tocsin.sqlite3'}", conn_health_checks=True
    )
}
# A process that is frozen in a transaction, or whose machine is gone, holds its locks no longer than this.
_IDLE_SECONDS = 10
_POSTGRES_OPTIONS = {
    "options": f"-c idle_in_transaction_session_timeout={_IDLE_SECONDS * 1000}",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "isolation_level": "read committed",
    # MySQL itself has no such limit, and reads it as a comment.
    "init_command": f"SET @tocsin = 1 /*M!, SESSION idle_transaction_timeout = {_IDLE_SECONDS} */",
}
_ENGINE = DATABASES["default"]["ENGINE"]
if _ENGINE.endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = _SQLITE_OPTIONS
elif _ENGINE.endswith("mysql"):
    import pymysql

    pymysql.install_as_MySQLdb()
    DATABASES["default"]["OPTIONS"] = {**DATABASES["default"].get("OPTIONS", {}), **_MYSQL_OPTIONS}
elif _ENGINE.endswith("postgresql"):
    _OPTIONS = {**_POSTGRES_OPTIONS, **DATABASES["default"].get("OPTIONS", {})}
    # A pooler refuses "options": a blank one in DATABASE_URL leaves it out.
    DATABASES["default"]["OPTIONS"] = {name: value for name, value in _OPTIONS.items() if value != " "}

if config.text("REDIS_URL"):
    redis.address(config.text("REDIS_URL"))  # a wrong one is told now, not at the first ring

DATA_UPLOAD_MAX_MEMORY_SIZE = config.number("TOCSIN_INTAKE_MAX_BYTES")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "incidents"
LOGOUT_REDIRECT_URL = "sign-in"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
LOGGING_CONFIG = None  # core/log.py has configured logging already

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

_HTTPS = config.public_url().startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Conditional indexes become plain ones on MySQL, which has none: that is meant.
SILENCED_SYSTEM_CHECKS = ["models.W037"]

# Read once, as every alert asks for them.
GROUP_BY = config.words("TOCSIN_GROUP_BY")
PUBLIC_URL = config.public_url()
INSTANCE_ID = config.instance_id()
LOG_LINK = loglink.template()
