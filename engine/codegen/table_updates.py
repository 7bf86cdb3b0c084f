"""Generates the functions that put rows into a table and take them out, its indexes included.

They depend on the columns of the indexes alone, so tables of all programs share them.
"""

from functools import lru_cache

from liqo_connectivity.engine.codegen.source import Capture, Template, Writer, key


@lru_cache(maxsize=256)
def inserter(columns: tuple[tuple[int, ...], ...]) -> Template:
    """``f(rows)``: add new rows to a table and to its indexes on ``columns``."""
    writer = Writer()

    def body() -> None:
        writer.line(f"{writer.capture(Capture('rows'))}.update(rows)")
        if not columns:
            return
        writer.open("for row in rows:")
        for place in columns:
            index = writer.capture(Capture("index", columns=place))
            writer.line(f"key = {key(place, 'row')}")
            writer.line(f"bucket = {index}.get(key)")
            writer.line("if bucket is None:")
            writer.line(f" {index}[key] = row")
            writer.line("elif type(bucket) is dict:")
            writer.line(" bucket[row] = None")
            writer.line("else:")
            writer.line(f" {index}[key] = {{bucket: None, row: None}}")

    return writer.finish(writer.function(("rows",), body), "insertion into a table")


@lru_cache(maxsize=256)
def remover(columns: tuple[tuple[int, ...], ...]) -> Template:
    """``f(rows)``: remove rows from a table and from its indexes on ``columns``."""
    writer = Writer()

    def body() -> None:
        writer.open("for row in rows:")
        writer.line(f"del {writer.capture(Capture('rows'))}[row]")
        for place in columns:
            index = writer.capture(Capture("index", columns=place))
            writer.line(f"key = {key(place, 'row')}")
            writer.line(f"bucket = {index}[key]")
            writer.line("if type(bucket) is dict:")
            writer.line(" del bucket[row]")
            writer.line(" if len(bucket) == 1:")
            writer.line(f"  {index}[key], = bucket")
            writer.line("else:")
            writer.line(f" del {index}[key]")

    return writer.finish(writer.function(("rows",), body), "removal from a table")
