"""The published files: a schema for each kind, the AsyncAPI document, and the catalogue of metrics."""

import json
from dataclasses import asdict
from typing import Any

from kewang.wire.catalogue import METRICS
from kewang.wire.contract.asyncapi import document
from kewang.wire.contract.schemas import schemas


def files() -> dict[str, str]:
    """Text of each file by its name."""
    made = {f"{name}.schema.json": _text(one) for name, one in schemas().items()}
    made["asyncapi.json"] = _text(document())
    made["metrics.json"] = _text([_metric(asdict(one)) for one in METRICS])
    return made


def _metric(told: dict[str, Any]) -> dict[str, Any]:
    told["codes"] = [{"code": code, "id": id_, "en": en} for code, id_, en in told["codes"]]
    return told


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
