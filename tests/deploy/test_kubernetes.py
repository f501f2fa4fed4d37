"""The manifests: valid, restricted, and made of Tocsin's own names."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.urls import resolve

from tests.deploy.shipped import (
    DEFAULTS,
    KUBERNETES,
    NEW_SECRETS,
    OURS,
    ROOT,
    SETTINGS,
    documents,
    image_environment,
    instructions,
    is_secret,
    pinned,
    refuse_unknown_celery,
    refuse_unknown_command,
    seconds_of_a_task,
)
from tests.pages import blocks
from tocsin.orchestration.worker import DRAIN_SECONDS

VERSION = "1.37"
WEB_DRAIN = int(
    re.findall(
        r"timeout_graceful_shutdown=(\d+)", (ROOT / "tocsin/web/management/commands/web.py").read_text()
    )[0]
)
FOLDERS = [KUBERNETES / "base", KUBERNETES / "try-out", KUBERNETES / "celery"]
FILES = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml")
HOW_TO = ROOT / "docs" / "how-to" / "run-in-containers.md"
CELERY = "components:\n  - ../celery\n"  # as the page has it
Document = dict[str, Any]


@dataclass(frozen=True)
class Object:
    """One object of a file."""

    file: Path
    document: Document

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def pod(self) -> Document:
        """The template of its Pods."""
        found: Document = self.document["spec"]["template"]
        return found

    @property
    def container(self) -> Document:
        """Its only container."""
        [found] = self.pod["spec"]["containers"]
        assert isinstance(found, dict)
        return found


OBJECTS = [Object(path, document) for path in FILES for document in documents(path)]
RUNNING = [one for one in OBJECTS if one.kind in ("Deployment", "StatefulSet", "Job")]
TOCSIN = [one for one in RUNNING if one.container["image"] == OURS]


def _id(one: Object) -> str:
    return f"{one.kind} {one.name}"


def _one(kind: str, name: str) -> Object:
    [found] = [one for one in OBJECTS if (one.kind, one.name) == (kind, name)]
    return found


def _labels(one: Object) -> dict[str, str]:
    found: dict[str, str] = one.pod["metadata"]["labels"]
    return found


def _picked(selector: dict[str, str]) -> list[Object]:
    return [one for one in RUNNING if selector.items() <= _labels(one).items()]


# Valid.


@pytest.mark.parametrize("one", OBJECTS, ids=_id)
def test_it_keeps_to_the_schema(one: Object) -> None:
    kubernetes_validate.validate(one.document, VERSION, strict=True)


@pytest.mark.parametrize("wrong", [{"replicas": "two"}, {"replica": 2}, {"selector": "web"}])
def test_the_schema_would_find_a_mistake(wrong: Document) -> None:
    web = _one("Deployment", "tocsin-web").document
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(web | {"spec": web["spec"] | wrong}, VERSION, strict=True)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_is_part_of_what_is_applied(folder: Path) -> None:
    [kustomization] = documents(folder / "kustomization.yaml")
    listed = {resource for resource in kustomization["resources"] if resource.endswith(".yaml")}
    assert listed == {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    if kustomization["kind"] != "Component":  # one is given the namespace of what it is part of
        assert kustomization["namespace"] == _one("Namespace", "tocsin").name


def test_names_are_there_once() -> None:
    names = [(one.kind, one.name) for one in OBJECTS]
    assert len(names) == len(set(names))
    assert {one.name for one in TOCSIN} == {"tocsin-web", "tocsin-worker", "tocsin-celery", "tocsin-migrate"}


# Restricted, as the Pod Security Standard of that name has it, and a little more.


@pytest.mark.parametrize("one", RUNNING, ids=_id)
def test_pods_are_restricted(one: Object) -> None:
    spec, own = one.pod["spec"], one.container["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
    assert all(set(volume) <= {"name", "emptyDir"} for volume in spec.get("volumes", []))
    assert spec["automountServiceAccountToken"] is False


def test_the_cluster_refuses_others() -> None:
    labels = _one("Namespace", "tocsin").document["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("one", RUNNING, ids=_id)
def test_pods_say_what_they_need(one: Object) -> None:
    resources = one.container["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}  # a limit of processor time only ever makes them wait
    assert _bytes(resources["requests"]["memory"]) <= _bytes(resources["limits"]["memory"])


def _bytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # type: ignore[union-attr]
    return int(number) << {"Mi": 20, "Gi": 30}[unit]


@pytest.mark.parametrize("one", RUNNING, ids=_id)
def test_images_are_pinned(one: Object) -> None:
    assert pinned(one.container["image"])


def test_nobody_is_let_in_but_to_web_and_by_tocsin_to_its_databases() -> None:
    everybody = _one("NetworkPolicy", "deny-ingress").document["spec"]
    assert everybody == {"podSelector": {}, "policyTypes": ["Ingress"]}
    for one in OBJECTS:
        if one.kind == "NetworkPolicy" and (rules := one.document["spec"].get("ingress")):
            [picked] = _picked(one.document["spec"]["podSelector"]["matchLabels"])
            [rule] = rules
            [port] = rule["ports"]
            assert port["port"] in {found["name"] for found in picked.container["ports"]}
            if picked.container["image"] == OURS:
                assert picked.name == "tocsin-web"
            else:
                [who] = rule["from"]
                assert set(map(_id, _picked(who["podSelector"]["matchLabels"]))) == set(map(_id, TOCSIN))


# Tocsin's own names.


@pytest.mark.parametrize("one", TOCSIN, ids=_id)
def test_commands_are_tocsins(one: Object) -> None:
    if one.name == "tocsin-celery":
        assert one.container["command"] == ["celery"]
        refuse_unknown_celery(one.container["args"])
    else:
        assert "command" not in one.container, "the image's entry point stays"
        refuse_unknown_command(one.container["args"])


@pytest.mark.parametrize("one", TOCSIN, ids=_id)
def test_pods_run_as_the_image_is_made(one: Object) -> None:
    [user] = [rest for word, rest in instructions() if word == "USER"]
    context = one.pod["spec"]["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
    assert context["fsGroup"] == context["runAsGroup"]
    written = {mount["mountPath"] for mount in one.container["volumeMounts"]}
    assert written == {image_environment()["TOCSIN_DATA_DIR"], "/tmp"}


@pytest.mark.parametrize("one", RUNNING, ids=_id)
def test_services_do_not_set_variables(one: Object) -> None:
    """A Service called tocsin would set TOCSIN_PORT to its address."""
    assert one.pod["spec"]["enableServiceLinks"] is False


def _secret_keys(one: Object) -> set[str]:
    """Variables that a Pod does not start without."""
    found = set()
    for variable in one.container["env"]:
        if "valueFrom" in variable:
            assert variable["valueFrom"]["secretKeyRef"]["name"] == "tocsin"
            assert "optional" not in variable["valueFrom"]["secretKeyRef"]
            found.add(variable["valueFrom"]["secretKeyRef"]["key"])
    return found


@pytest.mark.parametrize("one", TOCSIN, ids=_id)
def test_no_pod_starts_with_keys_of_its_own(one: Object) -> None:
    """Without them each Pod would keep a database, or keys, that end with it."""
    broker = {"REDIS_URL"} if one.name == "tocsin-celery" else set()
    assert {variable["name"] for variable in one.container["env"]} <= SETTINGS
    assert _secret_keys(one) == {"DATABASE_URL", "TOCSIN_SECRET_KEYS", "DJANGO_SECRET_KEY"} | broker
    assert one.container["envFrom"] == [
        {"configMapRef": {"name": "tocsin"}},
        {"secretRef": {"name": "tocsin"}},
    ]


def test_settings_are_tocsins_and_no_secrets() -> None:
    settings = _one("ConfigMap", "tocsin").document["data"]
    assert set(settings) <= SETTINGS
    assert not [name for name in settings if is_secret(name)]


def test_no_secret_is_shipped(tmp_path: Path) -> None:
    [template] = [one for one in OBJECTS if one.kind == "Secret"]
    keys = template.document["stringData"]
    assert not any(keys.values()), "a template has no values"
    assert set(keys) <= SETTINGS
    assert set().union(*map(_secret_keys, TOCSIN)) <= set(keys)
    assert all(template.file.name not in (folder / "kustomization.yaml").read_text() for folder in FOLDERS)
    for one in RUNNING:
        for variable in one.container["env"]:
            assert "value" not in variable or not is_secret(variable["name"]), variable


def test_new_secrets_are_all_that_the_try_out_needs(tmp_path: Path) -> None:
    subprocess.run([str(NEW_SECRETS), str(tmp_path / ".env")], check=True, timeout=20)
    made = {line.partition("=")[0] for line in (tmp_path / ".env").read_text().splitlines()}
    assert set().union(*map(_secret_keys, RUNNING)) <= made
    [kustomization] = documents(KUBERNETES / "try-out" / "kustomization.yaml")
    assert kustomization["secretGenerator"] == [{"name": "tocsin", "envs": [".env"]}]
    names = {one.name for one in OBJECTS if one.kind == "Service"}
    assert set(re.findall(r"@(\w+)[:/]", (tmp_path / ".env").read_text())) <= names


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_probes_ask_for_real_paths(probe: str) -> None:
    asked = _one("Deployment", "tocsin-web").container[probe]["httpGet"]
    assert resolve(asked["path"]).url_name == ("readyz" if probe == "readinessProbe" else "healthz")
    assert asked["port"] == "http"


def test_ports_lead_to_tocsin() -> None:
    assert _one("Deployment", "tocsin-web").container["ports"] == [
        {"name": "http", "containerPort": int(DEFAULTS["TOCSIN_PORT"])}
    ]
    for service in (one for one in OBJECTS if one.kind == "Service"):
        [target] = _picked(service.document["spec"]["selector"])
        [port] = service.document["spec"]["ports"]
        assert port["targetPort"] in {found["name"] for found in target.container["ports"]}
    [rule] = _one("Ingress", "tocsin").document["spec"]["rules"]
    [path] = rule["http"]["paths"]
    found = _one("Service", path["backend"]["service"]["name"]).document["spec"]["ports"]
    assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in found}


@pytest.mark.parametrize("one", [one for one in RUNNING if one.kind != "Job"], ids=_id)
def test_selectors_pick_their_own_pods_alone(one: Object) -> None:
    assert _picked(one.document["spec"]["selector"]["matchLabels"]) == [one]


def test_web_is_never_without_a_pod() -> None:
    web = _one("Deployment", "tocsin-web")
    assert web.document["spec"]["replicas"] >= 2
    assert web.document["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budget = _one("PodDisruptionBudget", "tocsin-web").document["spec"]
    assert _picked(budget["selector"]["matchLabels"]) == [web]
    assert budget["maxUnavailable"] < web.document["spec"]["replicas"]


def test_pods_have_the_time_to_end_their_work() -> None:
    web = _one("Deployment", "tocsin-web")
    waits = web.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert web.pod["spec"]["terminationGracePeriodSeconds"] >= waits + 2 * WEB_DRAIN
    worker = _one("Deployment", "tocsin-worker")
    assert worker.pod["spec"]["terminationGracePeriodSeconds"] >= 2 * DRAIN_SECONDS
    celery = _one("Deployment", "tocsin-celery")
    assert celery.pod["spec"]["terminationGracePeriodSeconds"] >= seconds_of_a_task()


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_celerys_probes_look_at_what_it_touches(probe: str, tmp_path: Path) -> None:
    celery = _one("Deployment", "tocsin-celery").container
    [file] = [each["value"] for each in celery["env"] if each["name"] == "TOCSIN_CELERY_ALIVE"]
    asked = [word.replace(file, str(tmp_path / "alive")) for word in celery[probe]["exec"]["command"]]
    assert subprocess.run(asked, check=False, capture_output=True).returncode != 0
    (tmp_path / "alive").touch()
    assert subprocess.run(asked, check=False).returncode == 0
    os.utime(tmp_path / "alive", (0, 0))
    assert subprocess.run(asked, check=False).returncode != 0


# As kubectl puts it together.


def _built(folder: Path) -> list[Document]:
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The folder as somebody has it who made the secrets."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    told = subprocess.run(
        ["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True, check=True
    )
    version = json.loads(told.stdout)["clientVersion"]["gitVersion"]
    if [int(part) for part in re.findall(r"\d+", version)[:2]] < [1, 25]:
        pytest.skip(f"kubectl {version} is older than 1.25")
    shutil.copytree(KUBERNETES, tmp_path / "k8s", ignore=shutil.ignore_patterns(".env"))
    return tmp_path / "k8s"


def _references(node: Any) -> Iterator[tuple[str, str | None]]:
    """The Secrets that a document names, with a key where it names one."""
    if isinstance(node, dict):
        for word, inner in node.items():
            if word in ("secretKeyRef", "secretRef"):
                yield inner["name"], inner.get("key")
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)


@pytest.mark.real
def test_the_try_out_holds_all_that_it_names(copy: Path) -> None:
    subprocess.run([str(NEW_SECRETS), str(copy / "try-out" / ".env")], check=True, timeout=20)
    built = _built(copy / "try-out")
    for document in built:
        kubernetes_validate.validate(document, VERSION, strict=True)
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "tocsin"
    [secret] = [document for document in built if document["kind"] == "Secret"]
    references = [found for document in built for found in _references(document)]
    assert references
    for name, key in references:
        assert name == secret["metadata"]["name"]
        assert key is None or secret["data"][key]


@pytest.mark.real
def test_the_try_out_is_not_built_without_its_secrets(copy: Path) -> None:
    with pytest.raises(AssertionError, match=r"\.env"):
        _built(copy / "try-out")


@pytest.mark.real
def test_the_page_has_a_kustomization_that_works(copy: Path) -> None:
    [shown] = [block for block in blocks(HOW_TO, "yaml") if block.text.startswith("# kustomization.yaml")]
    (copy / "ours").mkdir()
    (copy / "ours" / "kustomization.yaml").write_text(shown.text + CELERY)
    shutil.copy(copy / "ingress.yaml", copy / "ours")
    built = {(found["kind"], found["metadata"]["name"]): found for found in _built(copy / "ours")}
    for document in built.values():
        kubernetes_validate.validate(document, VERSION, strict=True)
    settings = built["ConfigMap", "tocsin"]["data"]
    assert settings["TOCSIN_PUBLIC_URL"].startswith("https://")
    assert set(settings) <= SETTINGS
    web = built["Deployment", "tocsin-web"]["spec"]["template"]["spec"]["containers"][0]
    assert web["image"] != OURS and web["image"].endswith(OURS)
    assert built["Deployment", "tocsin-worker"]["spec"]["replicas"] == 4
    assert built["Deployment", "tocsin-celery"]["metadata"]["namespace"] == "tocsin"
