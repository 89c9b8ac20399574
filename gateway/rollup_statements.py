"""InfluxQL of the roll-ups, in the subset that every InfluxDB answers."""

from gateway.influxql import identifier
from gateway.rollup_fields import ADDED, FUNCTIONS, codes, metrics


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


def summed(stream: str, measurement: str, where: str, each: str = "GROUP BY device, source") -> str:
    """All of a span (or `each` part of it), made of its roll-ups or thinned readings, without means."""
    fields = [(added, f"{name}_{function}") for name in metrics(stream) for function, added in ADDED.items()]
    fields += [("sum", field) for _, _, field in codes(stream)]
    chosen = ", ".join(f"{added}({identifier(field)}) AS {identifier(field)}" for added, field in fields)
    return f"SELECT {chosen} FROM {measurement} {where} {each}"
