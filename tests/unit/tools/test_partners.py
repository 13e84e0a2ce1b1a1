import pytest
from botocore.session import Session

from kickstand.clients import access
from kickstand.clients import service as clients
from kickstand.clients.errors import NotAuthenticated
from kickstand.kernel import store
from tools import partners


@pytest.fixture(autouse=True)
def _stack(aws: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partners, "_output", lambda stack, name: f"{name}" if stack == "kickstand-test" else "")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    partners.main(["--stack", "kickstand-test", *arguments])
    store.begin()
    return dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines() if " " in line)


def test_a_token_is_rotated_without_a_pause(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(capsys, "register", "Travelizer", "ops@travelizer.example", "--network", "1", "--network", "2")
    second = run(capsys, "issue", first["client"])
    assert clients.authenticate(first["token"]).network_ids == {1, 2}
    store.begin()
    assert clients.authenticate(second["token"]).name == "Travelizer"

    store.begin()
    monkeypatch.setattr(partners, "getpass", lambda _: first["token"])
    run(capsys, "revoke", first["client"])
    with pytest.raises(NotAuthenticated):
        clients.authenticate(first["token"])
    assert clients.authenticate(second["token"]).email == "ops@travelizer.example"


def test_a_secret_is_rotated_without_a_pause(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = run(capsys, "register", "Travelizer", "ops@travelizer.example", "--network", "1")["client"]
    first, second = (run(capsys, "issue-secret", client) for _ in range(2))
    assert first["client_id"] == second["client_id"]
    old = access.exchange(first["client_id"], first["client_secret"]).token
    new = access.exchange(second["client_id"], second["client_secret"]).token

    store.begin()
    monkeypatch.setattr(partners, "getpass", lambda _: first["client_secret"])
    run(capsys, "revoke-secret", client)
    with pytest.raises(NotAuthenticated):
        access.authenticate(old)
    assert access.authenticate(new).name == "Travelizer"


def test_a_partner_says_who_pays(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("register", "Direct", "ops@direct.example", "--network", "1")
    assert not clients.find(int(run(capsys, *arguments)["client"])).charges_riders
    assert clients.find(int(run(capsys, *arguments, "--charges-riders")["client"])).charges_riders
