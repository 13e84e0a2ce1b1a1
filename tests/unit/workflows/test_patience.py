"""How long a payment's workflow waits for a provider that is out of reach before somebody has to look."""

from datetime import timedelta

import yaml

from kickstand.payments import rules
from tools.registry import ROOT


def test_half_a_day_and_less_than_the_provider_remembers() -> None:
    machine = yaml.safe_load((ROOT / "statemachines" / "payment.asl.yaml").read_text(encoding="utf-8"))
    (retry,) = [each for each in machine["States"]["Advance"]["Retry"] if "ProviderUnreachable" in each["ErrorEquals"]]
    assert retry["JitterStrategy"] == "FULL"  # each pause is half of what is written, on average
    pauses = [
        min(retry["MaxDelaySeconds"], retry["IntervalSeconds"] * retry["BackoffRate"] ** number) / 2
        for number in range(retry["MaxAttempts"])
    ]
    assert timedelta(hours=12) < timedelta(seconds=sum(pauses)) < rules.REMEMBERED
