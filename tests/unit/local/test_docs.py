import re

import pytest

from local.docs import Docs


@pytest.fixture
def docs(tmp_path):
    document = tmp_path / "openapi.json"
    document.write_text('{"openapi": "3.1.0"}')
    return Docs({"voi": document})


def test_the_index_leads_to_each_reference(docs):
    assert b'href="/docs/voi"' in docs.serve("/docs").body
    assert docs.serve("/docs/").body == docs.serve("/docs").body


def test_a_reference_needs_no_network(docs):
    text = docs.serve("/docs/voi").body.decode()
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert [link for link in links if link.startswith("/docs/")] == [
        "/docs/assets/swagger-ui.css",
        "/docs/assets/swagger-ui-bundle.js",
    ]
    assert not [link for link in links if not link.startswith(("/docs/", "data:"))]
    for link in links:
        if link.startswith("/"):
            assert docs.serve(link).status == 200
    assert docs.serve("/docs/voi/openapi.json").body == b'{"openapi": "3.1.0"}'


@pytest.mark.parametrize("path", ["/docs/other", "/docs/assets/index.css", "/docs/assets/../LICENSE", "/docs/voi/x"])
def test_there_is_nothing_else(docs, path):
    assert docs.serve(path) is None
