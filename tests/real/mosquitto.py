"""A real mosquitto, and a client that publishes to it as Zigbee2MQTT would."""

import getpass
import socket
import subprocess
import time
from pathlib import Path

from tests.installed import require
from tests.processes import free_port


class Mosquitto:
    """One broker with a port of its own. Its memory outlives ``kill`` only where it had time to save."""

    def __init__(self, folder: Path, tls: bool = False) -> None:
        self._binary = require("mosquitto", "/usr/sbin/mosquitto")
        self._publisher = require("mosquitto_pub")
        self.port = free_port()
        self._log = folder / "mosquitto.log"
        self._passwords = folder / "passwords"
        tool = require("mosquitto_passwd")
        subprocess.run([tool, "-b", "-c", self._passwords, "tocsin", "p@ss"], check=True)
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user {getpass.getuser()}\nlistener {self.port} 127.0.0.1\n"
            f"allow_anonymous false\npassword_file {self._passwords}\n"
            f"persistence true\npersistence_location {folder}/\nautosave_interval 1\n"
            "autosave_on_changes true\n"
        )
        self.certificate = folder / "certificate.pem"
        self._scheme = "mqtts" if tls else "mqtt"
        if tls:
            key = folder / "key.pem"
            _write_certificate(self.certificate, key)
            with self._config.open("a") as config:
                config.write(f"certfile {self.certificate}\nkeyfile {key}\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self._scheme}://tocsin:p%40ss@127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("a") as log:
            command = [self._binary, "-v", "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < until and self._process.poll() is None, self.said
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as found:
            return found.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def said(self) -> str:
        return self._log.read_text()

    def command(self, topic: str, *options: str) -> list[str]:
        options = (*options, "--cafile", str(self.certificate)) if self._scheme == "mqtts" else options
        return [
            self._publisher, "-h", "127.0.0.1", "-p", str(self.port), "-u", "tocsin", "-P", "p@ss",
            "-t", f"zigbee2mqtt/{topic}", *options,
        ]  # fmt: skip

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Publish one message and wait until the broker has it."""
        options = ["-q", "1", *(["-r"] if retain else []), *(["-m", payload] if payload else ["-n"])]
        subprocess.run(self.command(topic, *options), check=True, timeout=20)


def _write_certificate(certificate: Path, key: Path) -> None:
    openssl = require("openssl")
    command = [
        openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
