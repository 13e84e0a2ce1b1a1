import json

import pytest

from local.server import ROOT
from local.template import TopicRule, load
from local.vehicles import admits, topic_matches


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("vehicles/+/messages", "vehicles/7/messages", True),
        ("vehicles/+/messages", "vehicles/7/commands", False),
        ("vehicles/+/messages", "vehicles/7/8/messages", False),
        ("vehicles/#", "vehicles/7/messages", True),
        ("vehicles/7", "vehicles/7/messages", False),
        ("vehicles/7/messages", "vehicles/7", False),
    ],
)
def test_topics_match_filters_as_in_mqtt(topic_filter: str, topic: str, expected: bool) -> None:
    assert topic_matches(topic_filter, topic) is expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [('{"vehicle_id": 7}', True), ('{"vehicle_id": 8}', False), ("{}", False), ("[]", False), ("noise", False)],
)
def test_a_rule_can_ask_that_a_message_says_what_its_topic_says(payload: str, expected: bool) -> None:
    asking = TopicRule("Rule", "vehicles/+/messages", (), (2, "vehicle_id"))
    assert admits(asking, "vehicles/7/messages", payload) is expected
    assert admits(TopicRule("Rule", "vehicles/+/messages", ()), "vehicles/7/messages", payload)


@pytest.mark.parametrize(
    ("topic", "message", "heard"),
    [
        ("vehicles/7/messages", {"vehicle_id": 7, "type": "telemetry"}, True),
        ("vehicles/7/messages", {"vehicle_id": 7, "type": "docking", "cluster_id": 9}, False),
        ("vehicles/7/messages", {"vehicle_id": 7, "type": "undocking", "cluster_id": 7}, False),
        ("vehicles/7/messages", {"vehicle_id": 7}, False),
        ("vehicles/7/messages", {"vehicle_id": 8, "type": "telemetry"}, False),
        ("stations/7/messages", {"cluster_id": 7, "type": "docking", "vehicle_id": 9}, True),
        ("stations/7/messages", {"cluster_id": 7, "type": "undocking", "vehicle_id": 9}, True),
        ("stations/7/messages", {"cluster_id": 8, "type": "docking", "vehicle_id": 7}, False),
        ("stations/7/messages", {"cluster_id": 7, "type": "telemetry", "vehicle_id": 7}, False),
        ("stations/7/messages", {"cluster_id": 7, "vehicle_id": 7}, False),
    ],
)
def test_vehicles_and_stations_speak_only_for_themselves(topic: str, message: dict[str, object], heard: bool) -> None:
    rules = load(ROOT / "template.yaml", "http://127.0.0.1").topic_rules
    fitting = [rule for rule in rules if topic_matches(rule.topic_filter, topic)]
    assert [admits(rule, topic, json.dumps(message)) for rule in fitting] == [heard]
