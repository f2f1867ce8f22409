"""The compose file, as compose itself reads it."""

import re
from pathlib import Path

import yaml

FILE = Path(__file__).parent.parent / "compose.yaml"
VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


class Unset(Exception):
    """A variable that must be set is not."""


def read(**environment):
    """The file, with variables replaced and merge keys followed."""

    def value(match):
        name, otherwise, text = match.groups()
        if environment.get(name):
            return environment[name]
        if otherwise == ":?":
            raise Unset(f"{name}: {text}")
        return text or ""

    return yaml.safe_load(VARIABLE.sub(value, FILE.read_text()))


def variables():
    """The names of all variables that the file reads."""
    return {match.group(1) for match in VARIABLE.finditer(FILE.read_text())}


def seconds(duration):
    """Of `150s`."""
    return int(duration.removesuffix("s"))
