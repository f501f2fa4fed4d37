from django.urls import URLPattern, path

from tocsin.api.views import healthz, metrics, readyz

urlpatterns: list[URLPattern] = [
    path("api/healthz", healthz, name="healthz"),
    path("api/readyz", readyz, name="readyz"),
    path("health", healthz),
    path("ready", readyz),
    path("metrics", metrics, name="metrics"),
]
