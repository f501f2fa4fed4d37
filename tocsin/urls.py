"""Where each path leads. The ways in for alerts are routed before Django, in ``asgi.py``."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("tocsin.web.urls")),
    path("", include("tocsin.api.urls")),
    path("", include("tocsin.chat.urls")),
    path("admin/", admin.site.urls),
]
