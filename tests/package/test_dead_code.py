"""A name that the search for dead code passes over without need would hide new dead code of that name."""

import re
import subprocess
import sys
from fnmatch import fnmatchcase

import pytest

from tests.support.checkout import PYPROJECT, ROOT


@pytest.mark.slow
def test_every_ignored_name_hides_something() -> None:
    command = [sys.executable, "-m", "vulture", "--ignore-names", "no such name"]
    search = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    unused = re.findall(r"unused \w+ '([^']+)'", search.stdout)
    ignored = PYPROJECT["tool"]["vulture"]["ignore_names"]
    assert not [name for name in ignored if not any(fnmatchcase(each, name) for each in unused)], search.stderr
