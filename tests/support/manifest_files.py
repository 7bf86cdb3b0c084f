"""Manifests that the tests of reading files start from, and short ways to read one."""

from pathlib import Path

from liqo_connectivity.facts import Reading, read

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web-0
  namespace: shop
status:
  podIP: 10.0.0.1
"""
NODE = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"


def read_text(folder: Path, text: str | bytes, name: str = "a.yaml") -> Reading:
    """The reading of one file."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read([path])


def lines(folder: Path, text: str | bytes, name: str = "a.yaml") -> list[str]:
    """The problems of one file, with its folder cut off, each of which has to be an unreadable row as well."""
    reading = read_text(folder, text, name)
    assert len(reading.base.rows("unreadable")) == len(reading.problems)
    return [str(problem).replace(str(folder) + "/", "") for problem in reading.problems]
