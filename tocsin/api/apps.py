from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "tocsin.api"
    default_auto_field = "django.db.models.BigAutoField"
