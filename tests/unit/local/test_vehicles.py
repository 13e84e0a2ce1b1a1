import pytest

from local.template import TopicRule
from local.vehicles import tells_its_topic, topic_matches


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
    assert tells_its_topic(asking, "vehicles/7/messages", payload) is expected
    assert tells_its_topic(TopicRule("Rule", "vehicles/+/messages", ()), "vehicles/7/messages", payload)
