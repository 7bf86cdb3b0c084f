"""A commit hook that forgets a tool of ``make lint`` lets through what CI refuses."""

import re

import yaml

from tests.support.checkout import ROOT


def test_commit_hooks_run_the_tools_of_lint() -> None:
    recipe = re.search(r"(?m)^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text())
    assert recipe
    tools = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"] for hook in local["hooks"]]
    assert len(hooks) == len(tools)
    for tool, hook in zip(tools, hooks, strict=True):
        assert tool.removesuffix(" .github") == hook.removesuffix(" --force-exclude")
