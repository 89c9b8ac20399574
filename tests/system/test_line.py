"""The whole line with real processes: sensor, Modbus, agent, broker, gateway, database. Every row is looked for."""

import pytest

from firmware_sim.faults import Fault
from firmware_sim.journal import read_journal
from kewang.bench.city import City, CityPlan, Device
from kewang.bench.process import wait_for
from kewang.bench.truth import summed

LIMIT_S = 120.0
READINGS = 40


def city_of(broker: str, store: str) -> City:
    """Two boards, one of them on a box without a clock, and a box alone."""
    devices = (
        Device("pasar-1", "market-env", {"site": "pasar"}),
        Device("kali-1", "river", {"site": "kali"}, clock="untrusted"),
        Device("kotak-1"),
    )
    plan = CityPlan(devices, store=store, broker=broker, faster=10, interval_s=0.1, flush_s=0.5, box_interval_s=0.5)
    return City(plan)


@pytest.mark.parametrize(("broker", "store"), [("mosquitto", "sqlite"), ("mosquitto", "influxd"), ("amqtt", "sqlite")])
def test_from_sensor_to_database(broker: str, store: str) -> None:
    with city_of(broker, store) as city:
        wait_for(lambda: city.database.count() >= READINGS, LIMIT_S)
        city.boards.switch(0, Fault.OUT_OF_RANGE)
        wait_for(lambda: city.database.count("quarantine") > 0, LIMIT_S)
        city.boards.switch(0, None)
        assert city.drain(LIMIT_S)
        city.stop_edges()
        truths = city.truth(frozenset(city.edges))
        total = summed(truths.values())
        given = {series: sum(1 for _ in read_journal(journal)) for series, journal in city.journals().items()}
        assert {series: truth.produced + truth.unflushed for series, truth in truths.items()} == given
        assert (total.lost, total.duplicates, total.wrong, total.in_outbox) == (0, 0, 0, 0)
        assert total.stored >= READINGS
        assert truths["pasar-1", "env-1"].quarantined > 0
        assert truths["kali-1", "env-1"].quarantined == 0
        assert city.database.devices() == set(city.edges)
