"""What the pages for operators and for developers of apps name is what there is."""

import re
from typing import Any

from kickstand.payments.stripe_gateway import EVENT_KINDS
from local.payments import CARDS
from maas._events import MessageType
from maas.payments import State
from tools.cloudformation import load
from tools.registry import ROOT

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PAYMENTS = (ROOT / "docs" / "payments.md").read_text()


def chapter(page: str, title: str) -> str:
    return re.split(r"^##+ ", page.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return found[2:]


def template() -> Any:
    return load(ROOT / "template.yaml")


def test_every_parameter_of_the_stack_is_told() -> None:
    told = [name for row in rows(chapter(OPERATIONS, "Parameters")) for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(told) == sorted(template()["Parameters"])


def test_stripe_is_told_to_send_what_is_understood() -> None:
    events = re.findall(r"`([a-z_]+\.[a-z_]+)`", chapter(OPERATIONS, "Stripe's account"))
    assert sorted(events) == sorted(EVENT_KINDS)


def test_lines_for_the_shell_find_what_they_name_among_the_outputs() -> None:
    outputs = {re.sub(r"(?<!^)([A-Z])", r"_\1", name).upper() for name in template()["Outputs"]}
    wanted = set(re.findall(r'"\$([A-Z]+_[A-Z_]+)"', OPERATIONS))
    assert wanted >= {"PAYMENT_SECRET", "SALES_TABLE"}
    assert wanted <= outputs
    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert {name for name in variables if name.endswith(("_TABLE", "_QUEUE", "_SECRET", "_BUCKET"))} <= outputs


def test_developers_of_apps_are_told_every_state_and_message_of_a_payment() -> None:
    assert [row[0] for row in rows(chapter(PAYMENTS, "States"))] == [f"`{state}`" for state in State]
    messages = {row[0].strip("`") for row in rows(chapter(PAYMENTS, "What your server is told, and what riders are"))}
    assert messages == {kind.value for kind in MessageType if kind.value.startswith("payment")}


def test_developers_of_apps_are_told_every_test_card() -> None:
    cards = [row[0].replace(" ", "") for row in rows(chapter(PAYMENTS, "On your machine"))]
    assert cards == list(CARDS)
