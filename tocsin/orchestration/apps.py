from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    name = "tocsin.orchestration"
    default_auto_field = "django.db.models.BigAutoField"
