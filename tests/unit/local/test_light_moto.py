import subprocess
import sys

from local.server import ROOT


def test_the_interpreter_loads_without_ec2_and_batch_is_there_when_it_is_used() -> None:
    script = (
        "import sys; sys.path.insert(0, 'layers/core/python'); import local.interpreter\n"
        "assert 'moto.ec2' not in sys.modules\n"
        "from moto.batch import batch_backends; print(batch_backends['123456789012']['eu-north-1'].region_name)"
    )
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "eu-north-1\n"
