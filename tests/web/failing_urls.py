"""The pages, and two that go wrong."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tocsin.urls import urlpatterns as pages


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("<b>told in the log alone</b>")


def forbid(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


urlpatterns = [*pages, path("fail/", fail), path("forbid/", forbid)]
