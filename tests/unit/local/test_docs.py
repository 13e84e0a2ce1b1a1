import re
from pathlib import Path

import pytest

from local.docs import Docs
from local.wsgi import Response


def page(docs: Docs, path: str) -> Response:
    response = docs.serve(path)
    assert response is not None
    return response


@pytest.fixture
def docs(tmp_path: Path) -> Docs:
    document = tmp_path / "openapi.json"
    document.write_text('{"openapi": "3.1.0"}')
    return Docs({"voi": document})


def test_the_index_leads_to_each_reference(docs: Docs) -> None:
    assert b'href="/docs/voi"' in page(docs, "/docs").body
    assert page(docs, "/docs/").body == page(docs, "/docs").body


def test_a_reference_needs_no_network(docs: Docs) -> None:
    text = page(docs, "/docs/voi").body.decode()
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert [link for link in links if link.startswith("/docs/")] == [
        "/docs/assets/swagger-ui.css",
        "/docs/assets/swagger-ui-bundle.js",
    ]
    assert not [link for link in links if not link.startswith(("/docs/", "data:"))]
    for link in links:
        if link.startswith("/"):
            assert page(docs, link).status == 200
    assert page(docs, "/docs/voi/openapi.json").body == b'{"openapi": "3.1.0"}'


@pytest.mark.parametrize("path", ["/docs/other", "/docs/assets/index.css", "/docs/assets/../LICENSE", "/docs/voi/x"])
def test_there_is_nothing_else(docs: Docs, path: str) -> None:
    assert docs.serve(path) is None
