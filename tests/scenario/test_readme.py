"""The README's first rental, typed as it stands there."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from local.testing import running_platform

README = Path(__file__).parents[2] / "README.md"


def commands() -> list[tuple[str, str]]:
    """The commands of the tour, and what they answered when it was written."""
    tour = README.read_text().partition("## The first rental")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", tour, re.DOTALL)
    entries = re.findall(r"^\$ (.*?(?:\\\n.*?)*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [(command, answer.strip()) for command, answer in entries]


def amounts(answer: str) -> list[int]:
    return [int(amount) for amount in re.findall(r'"(?:amount|vat|pricePerMinute|startPrice)":\s?(\d+)', answer)]


def test_the_tour_goes_as_it_is_told(tmp_path: Path) -> None:
    script: list[str] = []
    with running_platform(tmp_path) as platform:
        found: dict[str, Any] = {}
        for command, expected in commands():
            typed = command.replace("http://127.0.0.1:3000", platform.url).replace("curl ", "curl --silent ")
            typed = re.sub(r"^RIDER=.*", f"RIDER={found.get('user', '')}", typed)
            typed = re.sub(r"^RENTAL=.*", f"RENTAL={found.get('rental', '')}", typed)
            answer = _typed([*script, typed])
            if "=" in typed.split(" ")[0]:
                script.append(typed)
            if answer.startswith('{"data"'):
                data = json.loads(answer)["data"]
                first = data[0] if isinstance(data, list) else data
                found[first["type"]] = first["id"]
            assert amounts(answer) == amounts(expected), command
        assert found.keys() >= {"vehicle", "pricing", "user", "rental"}


def _typed(lines: list[str]) -> str:
    answer = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=20)
    return answer.stdout.strip()
