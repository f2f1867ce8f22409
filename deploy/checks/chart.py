"""The chart, rendered by Helm's own library."""

import os
from pathlib import Path

import helm_python
import yaml

FOLDER = Path(__file__).parent.parent / "helm" / "buildwright"
RELEASE = "bw"


def examples():
    """The values that the checks install the chart with, by name."""
    return {file.stem.removesuffix("-values"): values(file) for file in sorted((FOLDER / "ci").glob("*.yaml"))}


def values(file):
    return yaml.safe_load(file.read_text())


def example(name, **changes):
    """An example with some values changed: `example("least", log="debug")`."""
    return merged(examples()[name], changes)


def merged(one, other):
    both = dict(one)
    for key, value in other.items():
        nested = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = merged(both[key], value) if nested else value
    return both


def render(values):
    """What Helm would hand to Kubernetes."""
    with helm_python.Chart.load(os.fspath(FOLDER)) as chart:
        chart.validate_schema(values)
        files = chart.render(values, name=RELEASE, namespace="builds")
    return Objects(
        found
        for name, text in files.items()
        if name.endswith(".yaml")
        for found in yaml.safe_load_all(text)
        if found is not None
    )


class Objects(list):
    """Objects of Kubernetes."""

    def of(self, kind):
        return Objects(one for one in self if one["kind"] == kind)

    def named(self, name):
        (one,) = [one for one in self if one["metadata"]["name"] == f"{RELEASE}-buildwright-{name}"]
        return one

    def role(self, role):
        label = "app.kubernetes.io/component"
        return Objects(one for one in self if one["metadata"]["labels"].get(label) == role)


def pod(deployment):
    return deployment["spec"]["template"]["spec"]


def container(deployment):
    (one,) = pod(deployment)["containers"]
    return one


def environment(deployment):
    """Variables by name; the value, or the name of the secret that it comes from."""
    return {
        variable["name"]: variable.get("value") or variable["valueFrom"]["secretKeyRef"]["name"]
        for variable in container(deployment)["env"]
    }


def secrets(deployment):
    """The names of all secrets that a pod is given."""
    by_variable = [
        variable["valueFrom"]["secretKeyRef"]["name"]
        for variable in container(deployment)["env"]
        if "valueFrom" in variable
    ]
    whole = [source["secretRef"]["name"] for source in container(deployment).get("envFrom", [])]
    files = [volume["secret"]["secretName"] for volume in pod(deployment)["volumes"] if "secret" in volume]
    return {*by_variable, *whole, *files}
