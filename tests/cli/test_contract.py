"""`kewang contract`: get the contract, record a conversation, hear what is wrong with it."""

import json
from pathlib import Path

import pytest
from paho.mqtt.publish import single
from typer.testing import CliRunner

from docs.generate import CONTRACT
from kewang.bench.parts import Mosquitto
from kewang.bench.process import wait_for
from kewang.bench.record import Recorder
from kewang.cli.broker import broker_settings
from kewang.cli.contract import app
from kewang.wire.contract.files import files
from kewang.wire.contract.judge import findings
from kewang.wire.topics import build, everything_of

SAID = CONTRACT / "conversations" / "first-contact.jsonl"


def test_the_contract_is_written(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["write", str(tmp_path / "contract")])
    assert done.exit_code == 0, done.output
    assert {path.name: path.read_text() for path in (tmp_path / "contract").iterdir()} == files()
    (tmp_path / "file").touch()
    assert CliRunner().invoke(app, ["write", str(tmp_path / "file")]).exit_code == 2


def test_a_conversation_that_is_well(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(SAID)])
    assert (done.exit_code, done.output) == (0, f"{SAID}: well\n")


def test_faults_and_notes_are_told(tmp_path: Path) -> None:
    broken = tmp_path / "own.jsonl"
    broken.write_text(SAID.read_text().replace('/d/env","qos":1', '/d/env","qos":0'))
    noted = CONTRACT / "conversations" / "quarantine.jsonl"
    done = CliRunner().invoke(app, ["check", str(broken), str(noted)])
    assert done.exit_code == 1
    assert "batch: it was sent with QoS 0: publish it with QoS 1" in done.output
    assert "note: batch: row" in done.output
    told = json.loads(CliRunner().invoke(app, ["check", "--json", str(broken), str(noted)]).output)
    assert not told["ok"]
    assert told["faults"] == len(told["files"][str(broken)]) > 0
    assert CliRunner().invoke(app, ["check", str(tmp_path / "none.jsonl")]).exit_code == 2


def test_what_is_said_is_recorded(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A retained message comes at once, so that a second is long enough."""
    birth = b'{"st":"on","bt":"4f1e0c9a77d2","n":1,"up":3,"rw":0}'
    single(build("kali-1", "s"), birth, qos=1, retain=True, hostname=mosquitto.host, port=mosquitto.port)
    single(build("kali-2", "s"), b"another's", qos=1, retain=True, hostname=mosquitto.host, port=mosquitto.port)
    file = tmp_path / "own.jsonl"
    words = ["record", str(file), "--seconds", "1", "--broker", mosquitto.url, "--device"]
    done = CliRunner().invoke(app, [*words, "kali-1"])
    assert done.exit_code == 0, done.output
    assert json.loads(file.read_text().splitlines()[1])["payload"]["bt"] == "4f1e0c9a77d2"
    assert len(file.read_text().splitlines()) == 2
    assert CliRunner().invoke(app, ["check", str(file)]).exit_code == 0
    assert CliRunner().invoke(app, [*words, "Not A Device"]).exit_code == 2


@pytest.mark.parametrize("before", [True, False])
def test_an_ack_for_what_was_sent_before_the_recording_is_well(
    before: bool, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """A device that was born while we listened and did not send it: a fault, as ever."""
    birth, ack = b'{"st":"on","bt":"4f1e0c9a77d2","n":1,"up":3,"rw":0}', b'{"rw":1,"cr":8,"ok":[["4f1e0c9a77d2",1,2]]}'

    def say(channel: str, payload: bytes) -> None:
        topic, retain = build("kali-3", channel), channel == "s"
        single(topic, payload, qos=1, retain=retain, hostname=mosquitto.host, port=mosquitto.port)

    say("s", birth if before else b"")
    recorder = Recorder({})
    with recorder.listening(broker_settings(mosquitto.url, None, None, None), everything_of("kali-3")):
        if not before:
            say("s", birth)
        say("a", ack)
        wait_for(lambda: len(recorder.messages) == 2, 10)
    assert [said.retain for said in recorder.messages] == [True, False]
    found = findings(recorder.conversation().text())
    assert ["which the device has not sent" in each.text for each in found] == [True] * (not before), found


@pytest.mark.parametrize("where", ["mqtt://127.0.0.1:1", "nonsense"])
def test_no_broker_is_told(where: str, tmp_path: Path) -> None:
    words = ["record", str(tmp_path / "own.jsonl"), "--device", "kali-1", "--broker", where]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == (2 if where == "nonsense" else 3)
