"""Prints the lowest version of everything that setup.cfg admits, as constraints for pip.

`make lowest` installs exactly these and runs the tests that lean most on other packages, so that the bounds are true.
"""

import configparser
import re
from pathlib import Path

SETUP = Path(__file__).parents[1] / "setup.cfg"
EXTRA = "dev"
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?(?:>=|==)([\w.]+)")


def lowest_versions(setup: str) -> list[str]:
    """`name==version` of each requirement of the package and of its extra `dev`; each must have a lower bound."""
    config = configparser.ConfigParser()
    config.read_string(setup)
    lines = (config["options"]["install_requires"] + config["options.extras_require"][EXTRA]).split("\n")
    found = []
    for line in filter(None, map(str.strip, lines)):
        requirement = _REQUIREMENT.fullmatch(line)
        if requirement is None:
            raise ValueError(f'setup.cfg requires "{line}" without a lower bound; write name>=version')
        found.append(f"{requirement[1]}=={requirement[2]}")
    return found


if __name__ == "__main__":
    print("\n".join(lowest_versions(SETUP.read_text())))
