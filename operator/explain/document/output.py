"""Prints a document as JSON or YAML."""

import json
from collections.abc import Mapping

import click
import yaml


def echo_document(document: Mapping[str, object], output: str) -> None:
    """Print a document as ``json`` or ``yaml``; the order of keys is kept."""
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(yaml.dump(dict(document), Dumper=yaml.CSafeDumper, sort_keys=False), nl=False)
