"""The settings of the controller: flags, environment variables, and what cannot go together."""

import math
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.agent_reports import summarize
from liqo_connectivity.operator.controller.objects.stored import AGENT, Agent
from liqo_connectivity.operator.controller.settings import (
    ENVIRONMENT,
    Settings,
    SettingsError,
    described,
    flag_name,
    parse_address,
    setting_options,
)
from liqo_connectivity.operator.controller.writing import conditions
from liqo_connectivity.operator.explain.reasons import REASONS
from liqo_connectivity.rules.program import builtin_texts


@click.command(context_settings={"auto_envvar_prefix": ENVIRONMENT})
@setting_options
def show(settings: Settings) -> None:
    click.echo(f"{settings.lease_duration:g} {settings.leader_election} {settings.log_format} {settings.page_size}")


def shown(*arguments: str, **environment: str) -> str:
    result = CliRunner().invoke(show, arguments, env=environment)
    return result.output


def test_every_setting_has_a_flag_a_default_and_a_meaning() -> None:
    text = CliRunner().invoke(show, ["--help"]).output
    for name, _, default, about in described():
        assert flag_name(name) in text
        assert getattr(Settings(), name) == default
        assert about[0].isupper() or about.startswith("auto ")
        assert about.endswith(".")


def test_the_defaults_of_the_lease_let_a_standby_take_over_within_ten_seconds() -> None:
    settings = Settings()
    # The record holds whole seconds, rounded up; two requests have the rest.
    assert settings.retry_period + math.ceil(settings.lease_duration) <= 9
    # What client-go demands of the three, and two seconds for a leader that stands still between its check and its write.
    assert settings.lease_duration >= settings.renew_deadline + 2
    assert settings.renew_deadline > 1.2 * settings.retry_period


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    assert shown() == "8 True auto 500\n"
    assert shown(LIQO_CONNECTIVITY_LEASE_DURATION="20", LIQO_CONNECTIVITY_LOG_FORMAT="json") == "20 True json 500\n"
    assert shown("--lease-duration", "30", LIQO_CONNECTIVITY_LEASE_DURATION="20") == "30 True auto 500\n"
    assert shown("--no-leader-election", "--page-size=7") == "8 False auto 7\n"
    assert shown(LIQO_CONNECTIVITY_LEADER_ELECTION="false") == "8 False auto 500\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--renew-deadline", "15"], ["--renew-deadline (15 s)", "--lease-duration (8 s)"]),
        (["--retry-period", "10"], ["--retry-period", "--renew-deadline"]),
        (["--request-timeout", "11"], ["--request-timeout", "--renew-deadline"]),
        (["--write-interval", "9"], ["--write-interval", "--write-interval-limit"]),
        (["--answers-address", "0.0.0.0:8082"], ["--answers-address", "loopback", "port-forward"]),
        (["--answers-address", ":8082"], ["--answers-address", "loopback"]),
        (["--probes-address", "8081"], ["--probes-address", "HOST:PORT"]),
        (["--debounce", "-1"], ["--debounce"]),
        (["--log-level", "loud"], ["--log-level"]),
    ],
)
def test_what_cannot_be_is_a_usage_error_that_names_the_flags(arguments: list[str], named: list[str]) -> None:
    result = CliRunner().invoke(show, arguments)
    assert result.exit_code == 2
    for text in named:
        assert text in result.output


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        (":8081", ("", 8081)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:8082", ("::1", 8082)),
        ("localhost:8082", ("localhost", 8082)),
    ],
)
def test_addresses_are_read(text: str, address: tuple[str, int] | None) -> None:
    assert parse_address(text, "--x") == address


@pytest.mark.parametrize("text", ["8081", "::1:8081", "host", "host:", "host:http", "host:70000", "host:٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--x"):
        parse_address(text, "--x")


TEXT = (Path(__file__).parents[2] / "docs" / "operator.md").read_text("utf-8")


def test_the_documentation_names_every_reason() -> None:
    # The controller lists every kind, and nobody asks it about a flow.
    of_files = {"KindAbsent"}
    of_questions = {
        *("EmptyGroup", "EndpointUnknown", "OffloadingUnknown", "PortNotGiven", "IPv6NotEnforced"),
        *("ServiceUnresolved", "NodePort", "HostDestination"),
    }
    heads = re.findall(r'^(\w+)\([^")]*"(\w+)"', "".join(builtin_texts().values()), re.MULTILINE)
    assert ("pending", "TooLarge") in heads
    about_flows = {"unknown_because", "blind_spot", "object_blind_spot", "finding", "policy_finding", "path_reason"}
    assert not of_questions & {reason for head, reason in heads if head not in about_flows}
    said = {conditions.FABRIC_SYNCED, conditions.FABRIC_SYNC_FAILED, conditions.DELETION_FAILED, "NotProgrammed"}
    agents = [Agent(ObjectKey(AGENT, "liqo", "worker-1"), live=True)]
    reports = [summarize([], []), *(summarize(agents, [("worker-1", status)]) for status in ("True", "False", ""))]
    said |= {report.reason for report in reports if report.status != "True"}
    said |= REASONS.keys() - of_questions - of_files
    assert not {reason for reason in said if f"`{reason}`" not in TEXT}


def test_the_documentation_lists_every_flag_with_its_default() -> None:
    documented = re.findall(r"^\| `(--[a-z-]+)[^`]*` \| `?([^`|]*?)`? +\| ", TEXT, re.MULTILINE)
    words = {True: "on", False: "off"}
    expected = [
        (
            flag_name(name),
            words[default] if isinstance(default, bool) else f"{default:g}" if default != str(default) else default,
        )
        for name, _, default, _ in described()
    ]
    assert documented == expected
