import copy
import subprocess
import sys
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.dynamodb.models.table import Table

from local import light_moto
from local.server import ROOT


def test_the_interpreter_loads_without_ec2_and_batch_is_there_when_it_is_used() -> None:
    script = (
        "import sys; sys.path.insert(0, 'layers/core/python'); import local.interpreter\n"
        "assert 'moto.ec2' not in sys.modules\n"
        "from moto.batch import batch_backends; print(batch_backends['123456789012']['eu-north-1'].region_name)"
    )
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "eu-north-1\n"


@mock_aws
def test_a_transaction_copies_each_table_once_and_goes_back_to_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    light_moto.share_copies()
    deepcopy, copied = copy.deepcopy, []

    def counting(value: Any, memo: Any = None) -> Any:
        copied.append(type(value))
        return deepcopy(value, memo)

    monkeypatch.setattr(copy, "deepcopy", counting)
    client = boto3.client("dynamodb", "eu-north-1")
    client.create_table(
        TableName="Things",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )

    def put(pk: str, **condition: str) -> Any:
        return {"Put": {"TableName": "Things", "Item": {"pk": {"S": pk}}, **condition}}

    client.transact_write_items(TransactItems=[put(pk) for pk in "abc"])
    assert copied.count(Table) == 1
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(
            TransactItems=[put("d"), put("a", ConditionExpression="attribute_not_exists(pk)"), put("e")]
        )
    assert sorted(each["pk"]["S"] for each in client.scan(TableName="Things")["Items"]) == ["a", "b", "c"]
