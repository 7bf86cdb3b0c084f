"""Finds the packages of the wheel. Each room is a top-level folder here and a sub-package of ``liqo_connectivity`` there.

The links in src/liqo_connectivity show the same tree to Python in a checkout. The build does not follow them, because a
zip download, and a checkout with ``core.symlinks=false``, have text files in their place.
"""

from setuptools import find_namespace_packages, setup

PACKAGE = "liqo_connectivity"
ROOMS = ("engine", "facts", "rules", "chains", "operator", "checker")

packages = [PACKAGE]
for room in ROOMS:
    folders = find_namespace_packages(room, exclude=["*__pycache__"])
    packages += [f"{PACKAGE}.{room}", *(f"{PACKAGE}.{room}.{folder}" for folder in folders)]

setup(
    packages=packages,
    package_dir={PACKAGE: f"src/{PACKAGE}"} | {f"{PACKAGE}.{room}": room for room in ROOMS},
)
