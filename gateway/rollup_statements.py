"""InfluxQL of the roll-ups, in the subset that every InfluxDB answers."""

from gateway.influxql import identifier
from gateway.rollup_fields import FUNCTIONS, codes, metrics


def summaries(stream: str, measurement: str, where: str, each: str) -> list[str]:
    """One statement for the metrics of a stream, and one for each code that is counted."""
    chosen = ", ".join(
        f"{function}({identifier(name)}) AS {identifier(f'{name}_{function}')}"
        for name in metrics(stream)
        for function in FUNCTIONS
    )
    counted = [
        f"SELECT count({identifier(name)}) AS {identifier(field)} FROM {measurement} "
        f"{where} AND {identifier(name)} = {code} {each}"
        for name, code, field in codes(stream)
    ]
    return [f"SELECT {chosen} FROM {measurement} {where} {each}", *counted]


def summed(stream: str, measurement: str, where: str) -> str:
    """All of a span made of its roll-ups; `_mean` holds the sum of all readings."""
    inner, outer = [], []
    for name in metrics(stream):
        low, mean, high, count = (identifier(f"{name}_{function}") for function in FUNCTIONS)
        total = identifier(f"{name}_sum")
        inner.append(f"{low}, {mean} * {count} AS {total}, {high}, {count}")
        outer.append(f"min({low}) AS {low}, sum({total}) AS {mean}, max({high}) AS {high}, sum({count}) AS {count}")
    for field in (identifier(field) for _, _, field in codes(stream)):
        inner.append(field)
        outer.append(f"sum({field}) AS {field}")
    return (
        f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM {measurement} {where} "
        f"GROUP BY device, source) {where.partition(' AND (')[0]} GROUP BY device, source"
    )
