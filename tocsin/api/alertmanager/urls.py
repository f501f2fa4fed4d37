from typing import Final

from django.urls import URLPattern, path

from tocsin.api.alertmanager import views

URLS: Final[list[URLPattern]] = [
    path("api/v2/alerts", views.alerts),
    path("api/v2/alerts/groups", views.groups),
    path("api/v2/silences", views.silences),
    path("api/v2/silence/<str:silence>", views.silence),
    path("api/v2/status", views.status),
    path("api/v2/receivers", views.receivers),
    path("api/v2/<path:rest>", views.nowhere),
    path("api/v1/alerts", views.removed),
    path("api/v1/alerts/groups", views.removed),
    path("api/v1/silences", views.removed),
    path("api/v1/silence/<str:silence>", views.removed),
    path("api/v1/status", views.removed),
    path("api/v1/receivers", views.removed),
    path("-/healthy", views.healthy),
    path("-/ready", views.ready),
]
