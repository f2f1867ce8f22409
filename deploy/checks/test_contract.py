"""What deploy/ sets and measures is what buildwright reads and tells."""

import re
import unittest
from pathlib import Path

import chart
import compose

ROOT = Path(__file__).parent.parent.parent


def code():
    files = [file for part in ("services", "libs") for file in (ROOT / part).glob("*/src/**/*.rs")]
    return "\n".join(file.read_text() for file in files)


class Contract(unittest.TestCase):
    def setUp(self):
        self.code = code()

    def test_every_variable_that_is_set_is_read(self):
        services = compose.read(POSTGRES_PASSWORD="secret")["services"]
        deployments = chart.render(chart.examples()["everything"]).of("Deployment")
        foreign = {"RUST_BACKTRACE"}
        names = {name for role in ("api", "driver", "projector", "executor") for name in services[role]["environment"]}
        names |= {name for one in deployments for name in chart.environment(one)}
        unread = sorted(name for name in names - foreign if f'"{name}"' not in self.code)
        self.assertEqual(unread, [])

    def test_every_measure_that_scales_is_told(self):
        (trigger,) = chart.render(chart.examples()["everything"]).of("ScaledObject")[0]["spec"]["triggers"]
        measures = set(re.findall(r"buildwright_\w+", trigger["metadata"]["query"]))
        self.assertEqual(len(measures), 3)
        self.assertEqual(sorted(name for name in measures if name not in self.code), [])


if __name__ == "__main__":
    unittest.main()
