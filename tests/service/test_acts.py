"""Whose acts they are: what persons do with commands, and at the console, is in the audit log with their names."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from rgs_server.__main__ import main
from rgs_server.acting import NAME_MAX, acting, named
from rgs_server.config import Config, ConfigError, read_config
from service_process import Service, run

Commands = Callable[..., int]


@pytest.fixture
def command(service: Service, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Runs a command of a person against the service's database."""
    monkeypatch.setenv("RGS_DATABASE_URL", service.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(service.config.master_key_path))

    def run_as(person: str, *arguments: str) -> int:
        monkeypatch.setenv("RGS_ACTOR", person)
        return main(list(arguments))

    return run_as


def facts(service: Service, kind: str, subject: str) -> list[dict[str, Any]]:
    sql = "SELECT fact FROM audit_facts WHERE kind = $1 AND subject = $2 ORDER BY written_in, fact_id"
    return [json.loads(row["fact"]) for row in run(service.fetch(sql, kind, subject))]


def test_a_change_names_the_person_and_the_command(service: Service, command: Commands) -> None:
    assert command("ada", "operator", "op-acted", "--key", "key-acted-1") == 0
    assert command("", "operator", "op-acted", "--rate", "7") == 0
    opened, changed = facts(service, "operator", "op-acted")
    assert (opened["by"], opened["change"]) == ("ada: rgs-server operator", "insert")
    assert (changed["by"], changed["change"]) == (f"{getpass.getuser()}: rgs-server operator", "update")
    assert changed["role"] == opened["role"] != ""
    (start,) = [
        json.loads(row["fact"]) for row in run(service.fetch("SELECT fact FROM audit_facts WHERE kind = 'start'"))
    ]
    assert start["by"] == "", "the service acts for nobody"


def test_commands_find_the_database_of_a_service_that_runs_on_their_folder(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RGS_DATA_DIR", str(service.config.data_path))
    assert main(["audit", "key"]) == 0
    assert "rgs-audit-" in capsys.readouterr().out
    for folder in (tmp_path, tmp_path / "none"):
        monkeypatch.setenv("RGS_DATA_DIR", str(folder))
        assert main(["console", "ada"]) == 2
        assert f"none runs in {folder}" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_command_that_does_nothing_leaves_no_fact(service: Service, command: Commands) -> None:
    assert command("bo", "reseal") == 0
    assert run(service.fetch("SELECT FROM audit_facts WHERE kind = 'reseal'")) == [], "nothing was sealed anew"
    assert command("bo", "webhook", "op-sandbox", "--replay") == 0
    assert facts(service, "replay", "webhook") == [], "nothing was put aside"


def test_no_operator_is_named_like_all_of_them(command: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("ada", "operator", "all", "--key", "key-of-all") == 2
    assert "choose another id" in capsys.readouterr().err


async def login(url: str, name: str, password: str) -> int:
    async with aiohttp.ClientSession() as session:
        body = {"name": name, "password": password}
        async with session.post(f"{url}/console/api/login", json=body, headers={"Origin": url}) as answer:
            return answer.status


def test_logins_and_refused_ones_are_facts(
    service: Service, command: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("ada", "console", "eve") == 0
    password = capsys.readouterr().out.split()[3]
    (made,) = facts(service, "console_person", "eve")
    assert made["by"] == "ada: rgs-server console"
    assert service.credentials is not None
    url = service.credentials.url
    assert run(login(url, "eve", "wrong")) == 401
    assert run(login(url, "eve", password)) == 200
    assert run(login(url, "nobody-has-this-name", "wrong")) == 401
    told = [(fact["outcome"], fact["address"]) for fact in facts(service, "console_login", "eve")]
    assert told == [("refused", "127.0.0.1"), ("let in", "127.0.0.1")]
    assert facts(service, "console_login", "nobody-has-this-name") == [], "there is no end of names that nobody has"
    assert password not in json.dumps(facts(service, "console_login", "eve"))


def test_a_name_that_a_url_has_already_is_left() -> None:
    url = "postgresql://rgs@db.example/rgs"
    assert named(url, "ada: x") == f"{url}?application_name=ada%3A%20x"
    assert named(f"{url}?sslmode=require", "ada") == f"{url}?sslmode=require&application_name=ada"
    assert named(f"{url}?application_name=mine", "ada") == f"{url}?application_name=mine"
    assert named("", "ada") == ""
    long = acting(Config(database_url=url, actor="a" * 40), "c" * 40)
    assert (
        len(long.database_url.removeprefix(f"{url}?application_name=").replace("%3A%20", ": ").replace("%20", " "))
        == NAME_MAX
    )


@pytest.mark.parametrize("name", ["é", "a" * 41, "two\nlines"])
def test_a_name_that_the_database_would_not_keep_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="RGS_ACTOR"):
        read_config({"RGS_ACTOR": name})
