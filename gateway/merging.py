"""Metrics of several processes as one text."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector


class _Merged(Collector):
    """A collector of what texts say. `texts`: by the name of the process."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        """Each family once, with the samples of every process."""
        families: dict[str, Metric] = {}
        for process, text in self._texts.items():
            for told in text_string_to_metric_families(text):
                family = families.setdefault(told.name, Metric(told.name, told.documentation, told.type))
                for sample in told.samples:
                    family.add_sample(sample.name, {**sample.labels, "process": process}, sample.value)
        yield from families.values()


def merged(texts: Mapping[str, str]) -> bytes:
    """Texts in Prometheus' format, by the name of the process, as one: every sample has the label `process`."""
    registry = CollectorRegistry()
    registry.register(_Merged(texts))
    return generate_latest(registry)
