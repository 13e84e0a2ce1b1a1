import pytest

from local.vehicles import topic_matches


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
