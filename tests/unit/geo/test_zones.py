import pytest
from hypothesis import given
from hypothesis import strategies as st

from kickstand.geo.errors import RuleWithoutAreaType
from kickstand.geo.model import AreaType, EndRefusal, Verdict, ZoneRule

flags = st.booleans()
rules = st.builds(
    ZoneRule,
    ride_start_allowed=flags,
    ride_end_allowed=flags,
    ride_through_allowed=flags,
    maximum_speed_kph=st.none() | st.integers(1, 200),
    station_parking=flags,
)


@pytest.mark.parametrize("area_type", AreaType)
def test_the_usual_rule_of_an_area_type_leads_back_to_it(area_type: AreaType) -> None:
    assert ZoneRule.of(area_type).area_type is area_type


@pytest.mark.parametrize("speed", [2, 25])
@pytest.mark.parametrize("area_type", [each for each in AreaType if each is not AreaType.OPERATIONS])
def test_any_zone_but_the_operations_area_may_limit_the_speed(area_type: AreaType, speed: int) -> None:
    rule = ZoneRule.of(area_type, speed)
    assert rule.maximum_speed_kph == speed
    assert rule.area_type is area_type


@given(rules)
def test_every_rule_has_an_area_type_unless_it_only_forbids_the_start(rule: ZoneRule) -> None:
    only_start_forbidden = (
        rule.ride_through_allowed
        and rule.ride_end_allowed
        and not rule.station_parking
        and rule.maximum_speed_kph is None
        and not rule.ride_start_allowed
    )
    if only_start_forbidden:
        with pytest.raises(RuleWithoutAreaType):
            _ = rule.area_type
    else:
        assert rule.area_type in AreaType


@given(rules)
def test_a_rule_that_forbids_more_is_never_a_milder_area(rule: ZoneRule) -> None:
    assert rule.model_copy(update={"ride_through_allowed": False}).area_type is AreaType.NO_GO_ZONE
    no_end = rule.model_copy(update={"ride_end_allowed": False})
    assert no_end.area_type in {AreaType.NO_GO_ZONE, AreaType.NO_PARKING}


def test_a_verdict_allows_the_end_unless_it_says_why_not() -> None:
    assert Verdict(geofence_version=1, ride_start_allowed=True).ride_end_allowed
    assert not Verdict(geofence_version=1, ride_start_allowed=True, end_refusal=EndRefusal.NO_GO).ride_end_allowed
