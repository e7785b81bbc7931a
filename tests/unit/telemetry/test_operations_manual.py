"""The operator's manual and the program name the same metrics, log fields and admin paths."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from headrace.node.admin.requests import known_names
from headrace.telemetry.access_line import AccessLine
from headrace.telemetry.exposition import exposition
from headrace.telemetry.metrics import MEANINGS, WorkerMetrics
from tests.harness.admin_operations import edge_admin_operations
from tests.unit.telemetry.test_exposition import FACTS

MANUAL = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
TABLE_ROW = re.compile(r"^\| `(headrace_\w+)` \| ([\w, ]*)\|", re.MULTILINE)


def exposed() -> dict[str, set[str]]:
    """Every metric's name, as a query names it, with its labels."""
    metrics = WorkerMetrics()
    for name in MEANINGS:
        value = getattr(metrics, name)
        if isinstance(value, dict):
            value["x"] = 1
    found = {}
    for family in text_string_to_metric_families(exposition(metrics.snapshot(), FACTS).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    return found


def test_the_table_lists_every_metric_with_its_labels_and_no_other() -> None:
    listed = {
        name: set(labels.replace(",", " ").split()) for name, labels in TABLE_ROW.findall(MANUAL)
    }
    assert listed == exposed()


def test_the_text_mentions_no_metric_that_does_not_exist() -> None:
    mentioned = set(re.findall(r"headrace_[a-z0-9_]+", MANUAL))
    assert mentioned <= set(exposed())


def test_every_field_of_the_access_log_is_explained() -> None:
    section = MANUAL.partition("The **access log**")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert explained == set(AccessLine.__struct_fields__)


def test_the_table_of_the_admin_api_has_every_operation_with_its_parameters_and_no_other() -> None:
    section = MANUAL.partition("## The admin API")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    listed = {request for cell in cells for request in re.findall(r"`([^`]*)`", cell)}
    served = set()
    for one in edge_admin_operations():
        names = [] if one.takes_body else known_names(one.request)
        query = "?" + "&".join(f"{name}=" for name in names) if names else ""
        served.add(f"{one.method} {one.path}{query}")
    assert listed == served
