"""Wrong settings of the gateway end with exit code 2 and a word of advice, before anything is started."""

from pathlib import Path

import pytest

from tests.cli.commands import kewang


@pytest.mark.parametrize(
    "text",
    [
        '[store]\nurl = "mysql://here"',
        '[store]\nurl = "sqlite:///"',
        '[store]\nurl = "influx1+http://127.0.0.1:99999/kewang"',
        '[store]\nurl = "influx1+http://127.0.0.1:8086/kewang"\nsecret_file = "open.secret"',
    ],
)
def test_a_store_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    shared = tmp_path / "open.secret"
    shared.write_text("word")
    shared.chmod(0o644)
    file = tmp_path / "gateway.toml"
    file.write_text(text.replace("open.secret", str(shared)))
    done = kewang("gateway", "run", "--check", "--config", str(file))
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("word", ["run", "init"])
def test_without_a_check_it_is_refused_at_the_start(tmp_path: Path, word: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[store]\nurl = "mysql://here"')
    done = kewang("gateway", word, "--config", str(file))
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    ['username = "gw1"\npassword_file = "nowhere"', '[broker.tls]\nca_file = "nowhere"'],
    ids=["password", "tls"],
)
def test_the_check_reads_what_the_broker_needs(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f"[broker]\n{text}")
    done = kewang("gateway", "run", "--check", "--config", str(file))
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "1e15", "-5", "0001-01-01", "inf", "nan"])
def test_a_time_that_nobody_means_is_refused(tmp_path: Path, moment: str) -> None:
    done = kewang("ledger", "--store", f"sqlite:///{tmp_path}/kewang.db", "--to", moment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "--to" in done.stderr


@pytest.mark.parametrize(
    ("settings", "notify", "said"),
    [
        ("", "[[routes]]\nto = ['x']\nby = ['chat']\n", "no channel is called 'chat'"),
        ("", "[channels.chat]\nkind = 'telegram'\ntoken_file = '/nowhere/token'\n", "/nowhere/token"),
        ("rules = 'rules.toml'\n", "", "rules.toml"),
        ("[incidents.ping]\nurl_file = '/nowhere/ping.url'\n", "", "/nowhere/ping.url"),
    ],
)
def test_the_files_of_the_watch_are_checked_too(tmp_path: Path, settings: str, notify: str, said: str) -> None:
    (tmp_path / "notify.toml").write_text(notify)
    config = tmp_path / "gateway.toml"
    config.write_text(f'[incidents]\nfolder = "{tmp_path}/i"\nnotify = "{tmp_path}/notify.toml"\n{settings}')
    done = kewang("gateway", "run", "--config", str(config), "--check")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_gateway_of_some_shards_does_not_watch(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'shards = "01"\n[incidents]\nfolder = "{tmp_path}/i"\n')
    done = kewang("gateway", "run", "--config", str(config), "--check")
    assert (done.returncode, "only some shards" in done.stderr) == (2, True), done.stderr
