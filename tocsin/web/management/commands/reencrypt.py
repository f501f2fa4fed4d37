"""``tocsin reencrypt``: the step between a new key and letting go of the old one."""

from typing import Any

from tocsin.core.terminal import Screen
from tocsin.db.command import TellingCommand
from tocsin.db.renewal import Renewal, renew


class Command(TellingCommand[Renewal]):
    help = "Write all that is encrypted again, under the first of TOCSIN_SECRET_KEYS; also while Tocsin runs."

    def answer(self, options: dict[str, Any]) -> Renewal:
        done = renew()
        self.exit_code = 1 if done.lost else 0
        return done

    def show(self, found: Renewal, screen: Screen) -> None:
        for name in found.lost:
            screen.line(("✗", "red"), name, "cannot be decrypted: its key is not in TOCSIN_SECRET_KEYS")
        screen.line(f"{found.rows} were encrypted again under the current key.")
