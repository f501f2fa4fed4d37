from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "tocsin.chat"
    default_auto_field = "django.db.models.BigAutoField"
