from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "tocsin.accounts"
    default_auto_field = "django.db.models.BigAutoField"
