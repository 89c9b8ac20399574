"""The published OpenAPI against the real app: whatever its schema allows is answered as it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kewang.bench.office import OfficeHouse
from provisioning.devices import create_app
from provisioning.devices.app import Rates
from provisioning.devices.limits import Rate

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

SOME = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    house = OfficeHouse(tmp_path_factory.mktemp("schema") / "office")
    yield schemathesis.openapi.from_asgi(
        "/v1/openapi.json", create_app(house.office, Rates(Rate(1e6, 1e6), Rate(1e6, 1e6)))
    )
    house.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_every_call_answers_as_its_schema_says(api: Any, mode: GenerationMode) -> None:
    """Also when it is asked what the schema does not allow."""
    asked = 0
    for found in api.get_all_operations():
        operation = found.ok()

        @SOME
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=CHECKS)

        answers()
    assert asked >= 25


def test_every_call_is_published(api: Any) -> None:
    assert set(api.raw_schema["paths"]) == {
        "/v1/time",
        "/v1/enrol",
        "/v1/renew",
        "/v1/config",
        "/v1/thumbnail/{source}",
    }


def test_schemas_are_found(tmp_path: Path) -> None:
    """What a message says of itself must not point to nowhere."""
    from kewang.wire.enrolment import Enrol, Renew

    for message in (Enrol, Renew):
        assert "$ref" not in str(message.model_json_schema())
