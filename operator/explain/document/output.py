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
        try:
            text: str = yaml.dump(dict(document), Dumper=yaml.CSafeDumper, sort_keys=False)
        except UnicodeEncodeError:
            # A surrogate, which stands for a byte of an argument that is not UTF-8: the slower dumper escapes it.
            text = yaml.dump(dict(document), Dumper=yaml.SafeDumper, sort_keys=False)
        click.echo(text, nl=False)
