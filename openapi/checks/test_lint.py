"""The committed document, looked at by itself."""

import unittest

from server import CHECKS, DOCUMENT, TOOLS, run


class Lint(unittest.TestCase):
    def test_the_public_rules_find_nothing(self):
        # The ruleset is found from the folder where its packages are; warnings count as much as errors.
        linter = TOOLS / "node" / "node_modules" / ".bin" / "spectral"
        ruleset = TOOLS / "node" / "ruleset.yaml"
        ruleset.write_text((CHECKS / "ruleset.yaml").read_text())
        said = run(linter, "lint", "--ruleset", ruleset, "--fail-severity", "hint", "--format", "stylish", DOCUMENT)
        self.assertEqual(said, 0, "what the linter found stands above")


if __name__ == "__main__":
    unittest.main()
