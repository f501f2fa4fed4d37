"""``tocsin prepare``: everything before the first start. ``tocsin up`` runs it each time."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from tocsin.accounts import services as accounts
from tocsin.accounts.models import ApiKey
from tocsin.alerts.listeners import addresses
from tocsin.alerts.listeners.keys import refuse_open_door
from tocsin.core import clock, config, tls
from tocsin.core.errors import Misconfigured


class Command(BaseCommand):
    help = "Bring the database up to date, make the first user, and print a one-time sign-in link."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        self._refuse_open_door()
        self._refuse_open_ways_in()
        user = accounts.admin_user()
        token = accounts.create_sign_in_link(user=user, now=clock.now())
        url = config.public_url()
        self.stdout.write(f"\n  Tocsin   {url}\n  Sign in  {url}/sign-in/{token}/   (once, within an hour)\n")
        self.stdout.write(f"  Alerts   POST {url}/alerts/webhook/\n  Data     {config.data_dir()}\n\n")

    def _refuse_open_door(self) -> None:
        if config.bound_to_loopback() or ApiKey.objects.filter(revoked_at=None).exists():
            return
        raise CommandError(
            f"TOCSIN_HOST={config.text('TOCSIN_HOST')} can be reached from other machines, and there is no "
            "key to come in with. Make one first: tocsin api_key create NAME"
        )

    def _refuse_open_ways_in(self) -> None:
        try:
            tls.files()
            addresses.mqtt()
            refuse_open_door(addresses.smtp())
        except Misconfigured as error:
            raise CommandError(str(error)) from error
