"""The README's first rental, typed as it stands there."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from local.server import Platform
from local.testing import running_platform
from tests.support.http import Http

README = Path(__file__).parents[2] / "README.md"
COVERAGE = README.parent / "docs" / "coverage.md"


def commands() -> list[tuple[str, str]]:
    """The commands of the tour, and what they answered when it was written."""
    tour = README.read_text().partition("## The first rental")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", tour, re.DOTALL)
    entries = re.findall(r"^\$ (.*?(?:\\\n.*?)*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [(command, answer.strip()) for command, answer in entries]


FIGURES = r'"(?:amount|vat|pricePerMinute|startPrice|totalAmountIncludingVat|tripDurationMins)":\s?(-?\d+)'
STATES = r'"(?:state|title)":\s?"([A-Z][^"]*)"'  # in small letters, they follow the workflows in their own time


def figures(answer: str) -> list[str]:
    """The amounts and states of an answer."""
    return [amount or state for amount, state in re.findall(f"{FIGURES}|{STATES}", answer)]


def is_told(answer: str, expected: str) -> bool:
    """Whether an answer has the figures that are expected; with others between them, where it is shortened."""
    told = iter(figures(answer))
    return all(each in told for each in figures(expected)) and ("…" in expected or next(told, None) is None)


def beginning(answer: str) -> str:
    """The name of an answer's first member, which errors have not."""
    found = re.match(r'\{"(\w+)"', answer)
    return found[1] if found else ""


def leads_to_an_invoice(platform: Platform) -> bool:
    """Whether the newest mail to the tour's rider does, as it says."""
    platform.settle()
    mails = Http(platform.url).get("/_local/outbox").json["mails"]
    text = [mail["text"] for mail in mails if mail["to"] == ["agatha@example.com"]][-1]
    (link,) = re.findall(r"http\S+/checkout/invoices/\S+", text)
    return Http("").get(Http("").get(link).headers["location"]).body.startswith(b"%PDF")


def test_the_tour_goes_as_it_is_told(tmp_path: Path) -> None:
    script: list[str] = []
    with running_platform(tmp_path) as platform:
        found: dict[str, Any] = {}
        for command, expected in commands():
            typed = command.replace("http://127.0.0.1:3000", platform.url).replace("curl ", "curl --silent ")
            typed = re.sub(r"^RIDER=.*", f"RIDER={found.get('user', '')}", typed)
            typed = re.sub(r"^RENTAL=.*", f"RENTAL={found.get('rental', '')}", typed)
            typed = re.sub(r"^BEARER=.*", f"BEARER='Authorization: Bearer {found.get('token', '')}'", typed)
            typed = re.sub(r"^ORDER=.*", f"ORDER={found.get('order', '')}", typed)
            typed = re.sub(r"^PAGE=.*", f"PAGE={found.get('page', '')}", typed)
            answer = _typed([*script, typed])
            if "=" in typed.split(" ")[0]:
                script.append(typed)
            if answer.startswith("{"):
                document = json.loads(answer)
                data = document.get("data", document)
                first = data[0] if isinstance(data, list) else data
                found[first.get("type", "")] = first.get("id")
                found |= {"token": document["access_token"]} if "access_token" in document else {}
                found |= {"order": document["id"]} if "orderLines" in document else {}
                found |= {"page": document["webUrl"]} if "webUrl" in document else {}
            assert is_told(answer, expected), (command, figures(answer), figures(expected))
            assert beginning(answer) == beginning(expected), (command, answer)
        assert found.keys() >= {
            "vehicle",
            "pricing",
            "user",
            "rental",
            "token",
            "MAAS_TRIP_STATE_UPDATE",
            "order",
            "page",
        }
        assert leads_to_an_invoice(platform)


def test_the_table_says_how_much_is_built() -> None:
    rows = re.findall(r"\| `(/\w+)` \| (\d+) \| (\d+) \|", COVERAGE.read_text())
    said = dict(re.findall(r"\| `(/\w+)` \| (not yet|\d+ of \d+ operations)", README.read_text()))
    assert said == {base: f"{built} of {all_} operations" if int(built) else "not yet" for base, all_, built in rows}


def _typed(lines: list[str]) -> str:
    answer = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=20)
    return answer.stdout.strip()
