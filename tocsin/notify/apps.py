from django.apps import AppConfig


class NotifyConfig(AppConfig):
    name = "tocsin.notify"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tocsin.notify import routes  # it has models, which are ready only now

        routes.ready()
