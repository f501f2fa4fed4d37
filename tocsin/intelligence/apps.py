from django.apps import AppConfig


class IntelligenceConfig(AppConfig):
    name = "tocsin.intelligence"
    default_auto_field = "django.db.models.BigAutoField"
