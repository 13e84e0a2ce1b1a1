import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from local.engine import DATABASE, find_binary
from local.testing import running_tables


@pytest.mark.skipif(find_binary() is None, reason="moto has no database")
def test_the_engine_finds_stream_records_by_an_index(tmp_path: Path) -> None:
    newest = "SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = 'RentalTable'"
    with running_tables(tmp_path), closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        plan = " ".join(str(row) for row in database.execute(f"EXPLAIN QUERY PLAN {newest}"))
    assert "USING COVERING INDEX _stream_numbers" in plan or "USING INDEX _stream_numbers" in plan
