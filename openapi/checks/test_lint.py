"""The committed document, looked at by itself."""

import shutil
import unittest

from server import CHECKS, DOCUMENT, TOOLS, run


class Lint(unittest.TestCase):
    def test_the_public_rules_find_nothing(self):
        # Packages of rules are looked for beside the ruleset, and its exceptions name the document as it lies there.
        folder = TOOLS / "node"
        shutil.copy(CHECKS / "ruleset.yaml", folder)
        shutil.copy(DOCUMENT, folder)
        # Warnings count as much as errors.
        linter = folder / "node_modules" / ".bin" / "spectral"
        said = run(linter, "lint", "--ruleset", "ruleset.yaml", "--fail-severity", "hint", "openapi.json", cwd=folder)
        self.assertEqual(said, 0, "what the linter found stands above")


if __name__ == "__main__":
    unittest.main()
