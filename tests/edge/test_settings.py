"""The edge's settings: what a good file gives, and what each mistake is told with."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from edge.settings import EdgeSettings, Rhythm, build_sources, read_settings
from edge.sources import driver, installed
from edge.sources.box import BoxSettings
from edge.sources.modbus import ModbusTcpSettings
from edge.sources.registers import Register
from firmware_sim.layout import map_file
from kewang.runtime.settings import SettingsError
from kewang.wire.catalogue import FLAG_ENDING

GOOD = """
device = "mardika-1"
clock = "trusted"

[broker]
host = "broker.local"
port = 8883
username = "mardika-1"
password_file = "password"

[broker.tls]
ca_file = "ca.pem"

[outbox]
path = "outbox.db"
budget_mb = 64
flush_s = 2

[timers]
faster = 10

[[sources]]
driver = "modbus-tcp"
name = "env-1"
host = "10.0.0.5"
interval_s = 5
map = "maps/market.toml"

[[sources]]
driver = "modbus-tcp"
name = "ups-1"
host = "10.0.0.6"
stream = "sys"
[[sources.registers]]
metric = "supply_v"
address = 40
scale = 0.1

[[sources]]
driver = "box"
interval_s = 15
"""

MODBUS = """
device = "mardika-1"
[[sources]]
driver = "modbus-tcp"
name = "env-1"
host = "10.0.0.5"
"""

POWER = """
device = "abc"
[power]
source = "box"
levels = [{ below = 12.4, stretch = 2 }, { below = 12.0, stretch = 5 }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that settings may point to."""
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "market.toml").write_text(map_file("market-env").read_text())
    for name in ("password", "key.pem"):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o600)
    for name in ("ca.pem", "cert.pem"):
        (tmp_path / name).write_text("certificate\n")
    return tmp_path


def read(folder: Path, text: str, flags: dict[str, Any] | None = None) -> EdgeSettings:
    file = folder / "edge.toml"
    file.write_text(text)
    return read_settings(file, flags)


def test_a_good_file_gives_settings_and_sources(folder: Path) -> None:
    found = read(folder, GOOD)
    assert found.device == "mardika-1"
    assert found.broker.password() == "secret"
    assert found.broker.tls is not None
    assert found.broker.tls.ca_file == folder / "ca.pem"
    assert found.outbox.path == folder / "outbox.db"
    assert found.outbox.budget_bytes == 64_000_000
    assert found.protocol_times().resend_s == 3
    assert found.system_clock().synchronised()
    box, env, ups = build_sources(found)
    assert (box.name, box.stream, box.interval_s) == ("box", "sys", 15)
    assert (env.name, env.stream, env.interval_s) == ("env-1", "env", 5)
    measured = ("temp_c", "rh_pct", "pm25_ugm3", "noise_dba", "nh3_ppm")
    assert env.metrics == ("sim_n", *measured, *(name + FLAG_ENDING for name in measured))
    assert (ups.stream, ups.metrics) == ("sys", ("supply_v",))


async def test_the_box_is_always_there_and_tells_what_only_the_agent_knows(folder: Path) -> None:
    found = read(folder, 'device = "mardika-1"\n')
    (box,) = build_sources(found, outbox_bytes=lambda: 4096, sources_failing=lambda: 2)
    values = dict(zip(box.metrics, await box.read(), strict=True))
    assert (values["outbox_bytes"], values["sources_failing"]) == (4096, 2)


def test_a_flag_beats_the_environment_beats_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEWANG_EDGE_BROKER__PORT", "1885")
    monkeypatch.setenv("KEWANG_EDGE_BROKER__HOST", "from-environment")
    found = read(folder, GOOD, {"broker.host": "from-flag"})
    assert (found.broker.host, found.broker.port) == ("from-flag", 1885)


@pytest.mark.parametrize(
    ("section", "rhythm"),
    [
        ("", Rhythm(10, 30, sparing=False)),
        ('profile = "cellular"', Rhythm(30, 90, sparing=True)),
        ('profile = "card"', Rhythm(300, 300, sparing=True)),
        ('profile = "card"\nflush_s = 60\nflush_rows = 7', Rhythm(60, 7, sparing=True)),
    ],
)
def test_a_profile_says_how_often_readings_go_to_the_disk(folder: Path, section: str, rhythm: Rhythm) -> None:
    assert read(folder, f'device = "abc"\n[outbox]\n{section}\n').outbox.rhythm == rhythm


def test_a_battery_that_the_office_no_longer_lists_silences_nobody(folder: Path) -> None:
    (folder / "identity").mkdir(mode=0o700)
    (folder / "root.pem").write_text("")
    enrolment = f'[enrolment]\nurl = "https://office:8444"\nca_file = "{folder / "root.pem"}"\nfolder = "identity"\n'
    found = read(folder, POWER.replace('"box"', '"ups-1"') + enrolment)
    assert found.power is not None
    assert found.power.source == "ups-1"


def test_a_battery_of_which_its_source_says_nothing_is_refused(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A box of the office goes on: there the source may have been changed."""
    text = POWER.replace('"box"', '"env-1"') + MODBUS.partition("\n")[2].partition("\n")[2]
    text += 'map = "maps/market.toml"\n'
    with pytest.raises(SettingsError, match=r"power.metric: source env-1 reads no supply_v: it reads sim_n, temp_c, "):
        build_sources(read(folder, text))
    build_sources(read(folder, text.replace("levels", 'metric = "rh_pct"\nlevels')))
    (folder / "identity").mkdir(mode=0o700)
    enrolment = f'[enrolment]\nurl = "https://office:8444"\nca_file = "{folder / "ca.pem"}"\nfolder = "identity"\n'
    assert len(build_sources(read(folder, text + enrolment))) == 2
    assert "power.metric: source env-1 reads no supply_v" in caplog.text


def test_an_empty_tls_section_is_tls(folder: Path) -> None:
    assert read(folder, 'device = "abc"\n').broker.tls is None
    assert read(folder, 'device = "abc"\n[broker.tls]\n').broker.tls is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "device: Field required"),
        ('device = "A"', "device: 'A' is not 3 to 32 characters of a-z, 0-9 and '-'"),
        ('device = "abc"\nbrokr = 1', "unknown key 'brokr'; did you mean 'broker'?"),
        ('device = "abc"\n[broker]\nprot = 1', "unknown key 'broker.prot'; did you mean 'port'?"),
        ('device = "abc"\n[broker]\nport = "x"', "broker.port: Input should be a valid integer"),
        ('device = "abc"\nclock = "sun"', "clock: Input should be 'kernel'"),
        ('device = "abc"\n[outbox]\nprofile = "sd"', "outbox.profile: Input should be 'wired', 'cellular' or 'card'"),
        ('device = "abc"\n[power]\nsource = "box"', "power.levels: Field required"),
        ('device = "abc"\n[power]\nsource = "box"\nlevels = []', "power.levels: "),
        (POWER.replace('"box"', '"bok"'), "power.source: no source 'bok' (there are none)"),
        (POWER.replace("12.0", "12.4"), "power.levels: each level must begin below the one before it and stretch more"),
        (POWER.replace("5", "2"), "power.levels: each level must begin below the one before it and stretch more"),
        (POWER.replace("5", "0.5"), "power.levels (no. 2).stretch: Input should be greater than 1"),
        ('device = "abc"\n[broker]\npassword_file = "none"', "none: No such file or directory: put the file there"),
        ('device = "abc"\n[broker.tls]\nca_file = "none"', "broker.tls.ca_file: "),
        ('device = "abc"\n[broker.tls]\ncert_file = "cert.pem"', "cert_file and key_file go together"),
        ('device = "abc"\n[[sources]]\nname = "env-1"', 'sources (no. 1, env-1): a source needs driver = "..."'),
        ('device = "abc"\nsources = [3]', 'sources (no. 1): a source needs driver = "..."'),
        ('device = "abc"\n[[sources]]\ndriver = "box"\ninterval_s = 60', "less than or equal to 30"),
        ('device = "abc"\n[[sources]]\ndriver = "box"\nname = "me"', "the box is always called 'box'"),
        (MODBUS.replace("modbus-tcp", "modbus-tpc"), "did you mean 'modbus-tcp'? (installed: bme280, box,"),
        (MODBUS.replace("env-1", "agent"), "sources (no. 1, agent).name: 'agent' is a source of the agent itself"),
        (MODBUS.replace("env-1", "box"), "sources (no. 1, box).name: 'box' is a source of the agent itself"),
        (MODBUS.replace("env-1", "Env"), "sources (no. 1, Env).name: 'Env' is not 1 to 32 characters"),
        (MODBUS, "give the register map either as map"),
        (
            MODBUS + 'map = "maps/market.toml"\nprot = 1',
            "sources (no. 1, env-1): unknown key 'prot'; did you mean 'port'?",
        ),
        (
            MODBUS + 'map = "maps/market.toml"\ninterval_s = "x"',
            "sources (no. 1, env-1).interval_s: Input should be a valid number",
        ),
        (
            MODBUS + 'map = "maps/market.toml"\nunit = 256',
            "sources (no. 1, env-1).unit: Input should be less than or equal to 255",
        ),
        (MODBUS + 'map = "maps/none.toml"', "sources (no. 1, env-1).map: "),
        (
            MODBUS + 'map = "maps/market.toml"\nstream = "sys"',
            "metric 'sim_n' is of stream 'env', this source of 'sys': add stream = \"env\"",
        ),
        (
            MODBUS + 'registers = [{ metric = "temp_c", address = 0 }, { metric = "supply_v", address = 1 }]',
            "metric 'supply_v' is of stream 'sys', this source of 'env': use two sources",
        ),
        (MODBUS.replace("[[sources]]", "[sources]"), "sources: write [[sources]], with two brackets"),
        (
            MODBUS + '[sources.registers]\nmetric = "temp_c"',
            "sources (no. 1, env-1).registers: write [[sources.registers]], with two brackets",
        ),
        (MODBUS + 'map = "maps/market.toml"\n[[sources]]\nname = "a"', "sources (no. 2, a): a source needs driver"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_the_next_step(folder: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(folder, text)
    assert says in str(raised.value)
    assert str(folder / "edge.toml") in str(raised.value)


def a_register(**keys: object) -> str:
    written = {"metric": "temp_c", "address": 1} | keys
    return "[[registers]]\n" + "".join(f"{key} = {value!r}\n" for key, value in written.items())


@pytest.mark.parametrize(
    ("registers", "says"),
    [
        ("", "registers: "),
        (a_register(metric="temp"), "registers (no. 1).metric: unknown metric 'temp'; did you mean 'temp_c'?"),
        (a_register(metric="temperature"), "unknown metric 'temperature'; names: docs/en/metrics.md"),
        (a_register(adress=1), "registers (no. 1): unknown key 'adress'; did you mean 'address'?"),
        (a_register(type="u17"), "registers (no. 1).type: Input should be 'u16'"),
        (a_register(address=65536), "registers (no. 1).address: Input should be less than or equal to 65535"),
        (a_register(address=-1), "registers (no. 1).address: Input should be greater than or equal to 0"),
        (a_register(address=65535, type="f32"), "its last register would be 65536"),
        (a_register(scale=0), "a scale of 0 makes every value the same"),
        (a_register(word_order="middle"), "registers (no. 1).word_order: Input should be 'big' or 'little'"),
        (
            a_register(type="f32") + a_register(metric="rh_pct", address=2),
            "holding registers of 'temp_c' (1 to 2) and 'rh_pct' (from 2) overlap",
        ),
        (a_register() + a_register(address=9), "metric 'temp_c' is there twice"),
    ],
)
@pytest.mark.parametrize("inline", [True, False], ids=["inline", "in its own file"])
def test_a_mistake_in_a_register_map_is_told(folder: Path, registers: str, says: str, inline: bool) -> None:
    if inline and not registers:
        says = "give the register map either"
    (folder / "maps" / "mine.toml").write_text(registers)
    text = MODBUS + (
        registers.replace("[[registers]]", "[[sources.registers]]") if inline else 'map = "maps/mine.toml"'
    )
    with pytest.raises(SettingsError) as raised:
        read(folder, text)
    assert says in str(raised.value)
    assert str(folder / ("edge.toml" if inline else "maps/mine.toml")) in str(raised.value)


def test_registers_of_two_kinds_may_share_an_address(folder: Path) -> None:
    lines = (a_register() + a_register(metric="rh_pct", kind="input")).replace("[[registers]]", "[[sources.registers]]")
    assert build_sources(read(folder, MODBUS + lines))[1].metrics[:2] == ("temp_c", "rh_pct")


def sensors(*sections: str) -> str:
    texts = [f'[[sources]]\nname = "s-{number}"\n{section}\n' for number, section in enumerate(sections, 1)]
    return 'device = "mardika-1"\n' + "".join(texts)


RTU = 'driver = "modbus-rtu"\nport = "/dev/ttyUSB0"\nregisters = [{ metric = "temp_c", address = 0 }]\n'
PMS = 'driver = "pms5003"\nport = "/dev/ttyUSB0"\n'
SHT = 'driver = "sht3x"\n'


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        (
            [RTU, RTU + "baud = 19200"],
            "'s-1' uses /dev/ttyUSB0 for Modbus with 9600 baud 8N1, 's-2' for Modbus with 19200",
        ),
        ([RTU, PMS], "'s-1' uses /dev/ttyUSB0 for Modbus with 9600 baud 8N1, 's-2' for pms5003 s-2: only one"),
        ([PMS, PMS], "'s-1' uses /dev/ttyUSB0 for pms5003 s-1, 's-2' for pms5003 s-2: only one can be right"),
        ([SHT, SHT], "'s-1' uses address 0x44 on /dev/i2c-1 for sht3x s-1, 's-2' for sht3x s-2: only one"),
    ],
)
def test_two_sources_at_one_place_are_refused(folder: Path, sections: list[str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(folder, sensors(*sections))


def test_a_source_of_the_office_at_anothers_place_is_left_out_and_silences_nobody(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "identity").mkdir(mode=0o700)
    wanted = [{"driver": "pms5003", "name": name, "port": f"/dev/{port}"} for name, port in PORTS]
    (folder / "identity" / "sources.json").write_text(json.dumps(wanted))
    ca = folder / "root.pem"
    ca.write_text("")
    enrolment = f'[enrolment]\nurl = "https://office:8444"\nca_file = "{ca}"\nfolder = "identity"\n'
    read_one = read(folder, sensors(RTU) + enrolment)
    assert [source.name for source in read_one.sources] == ["s-1", "pm-2"]
    assert "source pm-1 of the office is left out: 's-1' uses /dev/ttyUSB0" in caplog.text
    assert "source pm-3 of the office is left out: 'pm-2' uses /dev/ttyUSB1" in caplog.text


def test_a_warm_up_is_of_a_source_that_is_there(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A box of the office goes on: there the source may have been taken away."""
    text = sensors(RTU, SHT) + "[trust]\nwarm_up_s = { s-2 = 60, s-3 = 900 }\n"
    with pytest.raises(SettingsError, match=r"trust.warm_up_s: no source 's-3' \(there are s-1, s-2\)"):
        read(folder, text)
    (folder / "identity").mkdir(mode=0o700)
    ca = folder / "ca.pem"
    enrolment = f'[enrolment]\nurl = "https://office:8444"\nca_file = "{ca}"\nfolder = "identity"\n'
    assert len(read(folder, text + enrolment).sources) == 2
    assert "trust.warm_up_s: no source 's-3'" in caplog.text


PORTS = [("pm-1", "ttyUSB0"), ("pm-2", "ttyUSB1"), ("pm-3", "ttyUSB1")]


def test_sources_that_can_share_a_place_do(folder: Path) -> None:
    shared = sensors(RTU, RTU + "unit = 2", SHT, SHT + "address = 0x45", SHT + 'bus = "/dev/i2c-3"')
    assert len(build_sources(read(folder, shared))) == 6


def test_two_sources_with_one_name_are_refused(folder: Path) -> None:
    source = MODBUS.partition("\n")[2].partition("\n")[2] + 'map = "maps/market.toml"\n'
    with pytest.raises(SettingsError, match="two sources are called 'env-1': give each its own name"):
        read(folder, 'device = "abc"\n' + source + source)


@pytest.mark.parametrize(
    "text", ['[broker]\npassword_file = "password"', '[broker.tls]\ncert_file = "cert.pem"\nkey_file = "key.pem"']
)
def test_a_secret_that_others_can_read_is_refused(folder: Path, text: str) -> None:
    read(folder, 'device = "abc"\n' + text)
    for name in ("password", "key.pem"):
        (folder / name).chmod(0o640)
    with pytest.raises(SettingsError, match=r"can be read by others: run 'chmod 600 "):
        read(folder, 'device = "abc"\n' + text)


@pytest.mark.parametrize(
    ("text", "says"), [(None, "give the path of a settings file"), ("device = ", "not TOML"), ("\x00", "not TOML")]
)
def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "edge.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=says):
        read_settings(file)


@pytest.mark.parametrize("value", ["kotak-1", "10.20.0.5", "geheim # not told"])
def test_text_without_quotes_is_told_by_its_key_alone(tmp_path: Path, value: str) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(f'clock = "kernel"\ndevice = {value}\n')
    with pytest.raises(SettingsError, match=r"; text stands in quotes: device = .\.\.\..$") as raised:
        read_settings(file)
    assert value not in str(raised.value)


def test_every_installed_driver_is_found_and_says_what_its_keys_are() -> None:
    assert set(installed()) >= {"box", "modbus-tcp"}
    for name in installed():
        assert issubclass(driver(name).Settings, BaseModel)


def test_every_key_has_a_description() -> None:
    models: list[type[BaseModel]] = [EdgeSettings, ModbusTcpSettings, BoxSettings, Register]
    found = EdgeSettings.model_fields
    models += [
        type(section)
        for name in found
        if isinstance(section := found[name].get_default(call_default_factory=True), BaseModel)
    ]
    undescribed = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert len(models) > 6
    assert undescribed == []
