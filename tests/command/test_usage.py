"""Help, completion and wrong usage."""

import sys

import pytest

from liqo_connectivity.operator import verbs
from tests.support.recorded_cluster import outputs

SUBCOMMANDS = {"facts": ["dump", "load"], "rules": ["show", "graph"]}
COMMANDS = [
    [verb, *sub]
    for verb in [*verbs.VERBS, "version"]
    for sub in ([[s] for s in SUBCOMMANDS[verb]] if verb in SUBCOMMANDS else [[]])
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_in_its_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, *command, "--help")
    assert code == 0
    assert f"liqo-connectivity {' '.join(command)}" in out.split("Example", 1)[1]


def test_help_names_kubectl_when_called_as_its_plugin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/kubectl-liqo_connectivity"])
    assert "Usage: kubectl liqo-connectivity" in outputs(capsys, "--help")[1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "completion", shell)
    assert code == 0
    assert "_LIQO_CONNECTIVITY_COMPLETE" in out


@pytest.mark.parametrize("words", [None, "liqo-connectivity wh"], ids=["none", "some"])
@pytest.mark.parametrize("asked", ["bash_complete", "zsh_complete", "fish_complete", "bash", "tcsh_complete", ""])
def test_a_completion_that_no_shell_asks_for_is_wrong_usage(
    asked: str, words: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_LIQO_CONNECTIVITY_COMPLETE", asked)
    for variable, value in (("COMP_WORDS", words), ("COMP_CWORD", words and "none")):
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    code, out, err = outputs(capsys, "version")
    if asked == "fish_complete" and words:
        # The word that fish passes is one, whatever it is.
        assert (code, err) == (0, "")
    else:
        assert (code, out) == (2, "")
        assert err.startswith("Error: _LIQO_CONNECTIVITY_COMPLETE is set, but COMP_WORDS and COMP_CWORD")


def test_a_shell_that_asks_for_completions_gets_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in (
        ("_LIQO_CONNECTIVITY_COMPLETE", "bash_complete"),
        ("COMP_WORDS", "liqo-connectivity wh"),
        ("COMP_CWORD", "1"),
    ):
        monkeypatch.setenv(variable, value)
    assert outputs(capsys) == (0, "plain,why\nplain,why-not\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["why", "shop/nobody", "shop/db-0"], "there is no Pod 'shop/nobody'"),
        (["why", "8.8.8.8", "shop/db-0"], "write an address as ip:8.8.8.8"),
        (["why", "shop/db-0", "shop/web-0:80"], "write a port with its protocol, like shop/web-0:80/tcp"),
        (
            ["why", "shop/db-0", "web-0"],
            "an endpoint is NAMESPACE/POD, NAMESPACE/svc/SERVICE, ip:ADDRESS or group:GROUP@PEERING",
        ),
        (["why", "ip:8.8.8.300", "shop/db-0"], "'8.8.8.300' is not an IP address"),
        (["why", "ip:1.1.1.1", "shop/db-0:99999/tcp"], "a port is a number from 1 to 65535"),
        (["why", "group:offloaded", "shop/db-0"], "write a group with its peering, like group:offloaded@milan"),
        (
            ["why", "group:nothing@milan", "shop/db-0"],
            "there is no group 'nothing'; groups: internet, local-cluster, nameserver, offloaded",
        ),
        (["why", "group:vc-local@paris", "shop/db-0"], "there is no peering 'paris'; peerings: milan"),
        (["why", "ip:fd00::1", "shop/db-0"], "addresses of different families"),
        (["query", "member(P, G"], "the text ends inside a statement"),
        (["query", "membr(P, G, A)"], "did you mean 'member'?"),
        (["facts", "dump", "-o", "souffle"], "-o souffle and --output-folder go together"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_wrong_usage_exits_with_2_and_says_what_to_do(
    arguments: list[str], said: str, cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = outputs(capsys, *arguments, "-f", cluster)
    assert (code, out) == (2, "")
    assert said in err


def test_a_file_that_does_not_exist_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outputs(capsys, "render", "-f", "nowhere.yaml")
    assert code == 2
    assert "there is no file or folder 'nowhere.yaml'" in err


@pytest.mark.parametrize(
    "command", ["render", "why ip:1.1.1.1 ip:2.2.2.2", "check", "query 'pod(P,_)'", "facts dump", "rules graph"]
)
def test_an_unsupported_format_is_wrong_usage(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outputs(capsys, *command.split(), "-o", "csv")
    assert code == 2
    assert "'csv' is not one of" in err
