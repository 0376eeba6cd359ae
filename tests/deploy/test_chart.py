"""The Helm chart, rendered by Helm itself where it's installed."""

import importlib
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.program import ROOT

CHART = ROOT / "deploy" / "helm" / "rediagnose"
HELM = shutil.which("helm")
SDK = importlib.util.find_spec("helm_python")
needs_helm = pytest.mark.skipif(
    HELM is None and SDK is None, reason="neither helm nor its library for Python (helm-python-sdk) is installed"
)
Manifest = dict[str, Any]


def rendered(tmp_path: Path, **values: Any) -> dict[str, Manifest]:
    """The manifests by kind, with these values in place of the chart's. Raises `ValueError` if they're refused."""
    if HELM is None:
        return by_kind("\n---\n".join(_by_library(values).values()))
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(values))
    command = (HELM, "template", "here", str(CHART), "--namespace", "sre", "--values", str(given))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise ValueError(done.stderr)
    return by_kind(done.stdout)


def _by_library(values: dict[str, Any]) -> dict[str, str]:
    helm_python = importlib.import_module("helm_python")
    chart = helm_python.Chart.load(str(CHART))
    try:
        chart.validate_schema(chart.merge_values(values))
        made: dict[str, str] = chart.render(values, name="here", namespace="sre")
    except helm_python.HelmError as error:
        raise ValueError(str(error)) from None
    return {name: text for name, text in made.items() if name.endswith(".yaml")}


def by_kind(text: str) -> dict[str, Manifest]:
    found = [one for one in yaml.safe_load_all(text) if one]
    kinds = {one["kind"]: one for one in found}
    assert len(kinds) == len(found)
    return kinds


def pod(manifest: Manifest) -> Manifest:
    spec: Manifest = manifest["spec"]["template"]["spec"]
    return spec


@needs_helm
def test_the_usual_values(tmp_path: Path) -> None:
    made = rendered(tmp_path)
    assert set(made) == {"ConfigMap", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Service"}
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        made["Service"]["spec"]["selector"],
        made["Deployment"]["spec"]["selector"]["matchLabels"],
        made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    (container,) = pod(made["Deployment"])["containers"]
    assert container["image"] == "rediagnose:0.1.0"
    assert container["args"] == ["serve", "--listen", "0.0.0.0:8379"]
    assert container["envFrom"] == [{"secretRef": {"name": "rediagnose"}}]
    assert made["Service"]["spec"]["ports"][0]["targetPort"] in {one["name"] for one in container["ports"]}
    volumes = {one["name"] for one in pod(made["Deployment"])["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == volumes
    assert made["ConfigMap"]["data"]["rediagnose.toml"].startswith("[serve]")


@needs_helm
def test_nothing_runs_with_more_rights_than_it_needs(tmp_path: Path) -> None:
    made = rendered(tmp_path, workers={"replicas": 2})
    for one in (made["Deployment"], made["StatefulSet"]):
        spec, (container,) = pod(one), pod(one)["containers"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert container["resources"]["limits"]["memory"]


@needs_helm
def test_workers_have_volumes_of_their_own_and_no_probe(tmp_path: Path) -> None:
    made = rendered(tmp_path, workers={"replicas": 2}, args=["--jobs", "8"])
    (container,) = pod(made["StatefulSet"])["containers"]
    assert made["StatefulSet"]["spec"]["replicas"] == 2
    assert container["args"] == ["worker", "--jobs", "8"]
    assert "livenessProbe" not in container
    claims = {one["metadata"]["name"] for one in made["StatefulSet"]["spec"]["volumeClaimTemplates"]}
    volumes = {one["name"] for one in pod(made["StatefulSet"])["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == claims | volumes
    # Otherwise the service would send requests to workers.
    assert made["Service"]["spec"]["selector"]["app.kubernetes.io/component"] == "serve"


@needs_helm
def test_values_reach_their_places(tmp_path: Path) -> None:
    digest = f"sha256:{'a' * 64}"
    made = rendered(
        tmp_path, image={"repository": "registry.example.org/sre/rediagnose", "digest": digest},
        persistence={"existingClaim": "kept", "size": "1Gi", "accessModes": ["ReadWriteOnce"]},
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, networkPolicy={"enabled": False},
    )  # fmt: skip
    (container,) = pod(made["Deployment"])["containers"]
    assert container["image"] == f"registry.example.org/sre/rediagnose@{digest}"
    assert {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"} in container["env"]
    assert not {"PersistentVolumeClaim", "NetworkPolicy"} & set(made)
    claim = next(one for one in pod(made["Deployment"])["volumes"] if one["name"] == "state")
    assert claim["persistentVolumeClaim"]["claimName"] == "kept"


WRONG: dict[str, dict[str, Any]] = {
    "a value that doesn't exist": {"replicas": 3},
    "no secret": {"secret": {"name": ""}},
    "a digest that isn't one": {"image": {"repository": "rediagnose", "digest": "latest"}},
    "a variable that can't be": {"env": {"A-B": "1"}},
}


@needs_helm
@pytest.mark.parametrize("values", WRONG.values(), ids=WRONG.keys())
def test_wrong_values_are_refused(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        rendered(tmp_path, **values)


def test_the_values_fit_their_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(values)
    assert set(schema["properties"]) - {"global"} == set(values)
    for wrong in WRONG.values():
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(schema).validate(values | wrong)


def test_templates_use_only_values_that_exist() -> None:
    """What can be checked without Helm: its templates aren't YAML before they're filled in."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    used = {
        one
        for file in (CHART / "templates").iterdir()
        for one in re.findall(r"\.Values\.([A-Za-z]+(?:\.[A-Za-z]+)?)", file.read_text())
    }
    assert used
    for path in used:
        top, _, key = path.partition(".")
        assert top in values and (not key or key in values[top]), path


def test_the_version_is_the_programs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project
