from django.apps import AppConfig


class CheckersConfig(AppConfig):
    name = "tocsin.checkers"
    default_auto_field = "django.db.models.BigAutoField"
