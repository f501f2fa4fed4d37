"""Signing in, by password or by a one-time link."""

from typing import Final

from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tocsin.accounts import services as accounts
from tocsin.core import clock

FAILURES: Final = 10
FAILURES_SECONDS: Final = 60


class SignIn(LoginView):
    """The password form. An address that failed too often must wait."""

    template_name = "web/sign_in.html"

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if cache.get(_failures(request), 0) >= FAILURES:
            response = render(request, "web/too_many.html", {"seconds": FAILURES_SECONDS}, status=429)
            response.headers["Retry-After"] = str(FAILURES_SECONDS)
            return response
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        key = _failures(self.request)
        cache.set(key, cache.get(key, 0) + 1, FAILURES_SECONDS)
        return super().form_invalid(form)

    def render_to_response(self, context: dict[str, object], **kwargs: object) -> HttpResponse:
        response = super().render_to_response(context, **kwargs)
        if self.request.headers.get("HX-Request"):  # a live page whose session has ended
            response.headers["HX-Refresh"] = "true"
        return response


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponseBase:
    """A page with one button: only its POST uses the link up, so that previews of it do not."""
    if request.method != "POST":
        return render(request, "web/sign_in_link.html")
    user = accounts.use_sign_in_link(token=token, now=clock.now())
    if user is None:
        return render(request, "web/sign_in_link.html", {"spent": True}, status=410)
    login(request, user)
    return redirect("incidents")


def _failures(request: HttpRequest) -> str:
    return f"sign-in-failures:{request.META.get('REMOTE_ADDR', '')}"
