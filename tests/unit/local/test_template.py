import textwrap
from pathlib import Path
from typing import Protocol

import pytest

from local.errors import PlatformError
from local.template import Template, load

ENDPOINT = "http://127.0.0.1:1"
FUNCTION = """
  Work:
    Type: AWS::Serverless::Function
    Properties: {Handler: work.do, CodeUri: work.zip}
"""


class Read(Protocol):
    def __call__(self, resources: str, rest: str = "", **parameters: str) -> Template: ...


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_load(resources: str, rest: str = "", **parameters: str) -> Template:
        path = tmp_path / "template.yaml"
        path.write_text(f"{textwrap.dedent(rest)}\nResources:{resources}")
        return load(path, ENDPOINT, parameters)

    return write_and_load


def variables(template: Template) -> dict[str, str]:
    (function,) = template.functions.values()
    return dict(function.environment)


def test_intrinsic_functions_are_resolved(read: Read) -> None:
    rest = """
    Parameters:
      Stage: {Type: String, Default: dev}
      Zones: {Type: CommaDelimitedList, Default: "a, b"}
    Mappings:
      Sizes: {dev: {memory: 128}, prod: {memory: 512}}
    Conditions:
      IsProd: !Equals [!Ref Stage, prod]
      IsDev: !Not [!Condition IsProd]
      Either: !Or [!Condition IsProd, !Condition IsDev]
    """
    template = read(
        """
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Handler: work.do
      MemorySize: !FindInMap [Sizes, !Ref Stage, memory]
      Environment:
        Variables:
          REF: !Ref Things
          ATT: !GetAtt Things.Arn
          SUB: !Sub ["${Stage}-${name}-${!literal}", {name: !GetAtt Things.QueueName}]
          JOIN: !Join ["/", [a, !Ref Stage]]
          SELECT: !Select [1, !Ref Zones]
          SPLIT: !Select [1, !Split ["-", "x-y"]]
          IF: !If [IsProd, big, small]
          NOTHING: !If [Either, !Ref "AWS::NoValue", something]
          REGION: !Sub "${AWS::Region}/${AWS::AccountId}/${AWS::StackName}"
  Things: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${Stage}-things"}}
  Absent: {Type: AWS::Unheard::Of, Condition: IsProd}
""",
        rest,
    )
    assert variables(template) == {
        "REF": f"{ENDPOINT}/123456789012/dev-things",
        "ATT": "arn:aws:sqs:eu-north-1:123456789012:dev-things",
        "SUB": "dev-dev-things-${literal}",
        "JOIN": "a/dev",
        "SELECT": "b",
        "SPLIT": "y",
        "IF": "small",
        "REGION": "eu-north-1/123456789012/kickstand",
    }
    (function,) = template.functions.values()
    assert function.memory == 128


def test_globals_are_below_what_a_function_says(read: Read) -> None:
    rest = "Globals: {Function: {Timeout: 7, Environment: {Variables: {A: a, B: b}}}}"
    work = """
  Work:
    Type: AWS::Serverless::Function
    Properties: {Handler: work.do, Environment: {Variables: {B: other}}}
"""
    template = read(work, rest)
    assert variables(template) == {"A": "a", "B": "other"}
    assert next(iter(template.functions.values())).timeout == 7


def test_parameters_are_given_or_refused(read: Read) -> None:
    rest = "Parameters: {Stage: {Type: String, Default: dev}, Mail: {Type: String}}"
    assert read(FUNCTION, rest, Mail="a@b.example").functions
    with pytest.raises(PlatformError, match="Mail has no value"):
        read(FUNCTION, rest)
    with pytest.raises(PlatformError, match="unknown parameters Colour"):
        read(FUNCTION, rest, Mail="a", Colour="red")


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ("\n  Thing: {Type: AWS::Unheard::Of}", "a type that the platform does not serve"),
        (
            "\n  Thing: {Type: AWS::IAM::Role, Properties: {A: !Ref Nobody}}",
            "Nobody is neither a parameter nor a resource",
        ),
        ("\n  Thing: {Type: AWS::IAM::Role, Properties: {A: !GetAtt Thing.Colour}}", "has no attribute Colour"),
        ("\n  Thing: {Type: AWS::IAM::Role, Properties: {A: !Cidr [a, b]}}", "Fn::Cidr is not supported"),
        ("\n  Thing: {Type: AWS::IAM::Role, Properties: {A: !If [Never, 1, 2]}}", "there is no condition Never"),
        ("\n  Thing: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}", "FIFO queues are not served"),
        ("\n  Thing: {Type: AWS::Serverless::HttpApi, Properties: {}}", "needs its routes in DefinitionBody"),
        ("\n  Thing: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}", "has no handler"),
        (
            "\n  Thing: {Type: AWS::Serverless::HttpApi, Properties: {DefinitionBody: {paths: {/a: {get: {}}}}}}",
            "GET /a leads to no function",
        ),
        (
            (
                "\n  Thing: {Type: AWS::Serverless::HttpApi, Properties: {DefinitionBody: {paths: {/a: {get: "
                "{x-amazon-apigateway-integration: {uri: 'x/functions/arn:nobody/invocations'}}}}}}}"
            ),
            "leads to arn:nobody, not a function",
        ),
        (
            "\n  Thing: {Type: AWS::IoT::TopicRule, Properties: {TopicRulePayload: {Sql: SELECT a FROM b}}}",
            "only a selection of all",
        ),
        (
            "\n  Thing: {Type: AWS::Events::Rule, Properties: {EventPattern: {a: [{cidr: b}]}, Targets: []}}",
            "operator cidr is not supported",
        ),
        (
            "\n  Thing: {Type: AWS::Events::Rule, Properties: {EventPattern: {a: [b]}, Targets: [{Arn: arn:b}]}}",
            "arn:b is a destination, but nothing that is served",
        ),
        (
            "\n  Thing: {Type: AWS::Events::Rule, Properties: {EventPattern: {a: [b]}, EventBusName: other}}",
            "for the bus other, which does not exist",
        ),
        (
            "\n  Thing: {Type: AWS::Serverless::StateMachine, Properties: {Definition: {StartAt: '${Somewhere}'}}}",
            r"\$\{Somewhere\} has no substitution",
        ),
        ("\n  Thing: {Type: AWS::Serverless::Application, Properties: {Location: nowhere.yaml}}", "nowhere.yaml"),
    ],
)
def test_what_cannot_be_served_is_said(read: Read, resources: str, reason: str) -> None:
    with pytest.raises(PlatformError, match=reason):
        read(resources)


def test_an_event_of_another_type_is_said(read: Read) -> None:
    work = """
  Work:
    Type: AWS::Serverless::Function
    Properties: {Handler: work.do, Events: {Odd: {Type: Kinesis, Properties: {}}}}
"""
    with pytest.raises(PlatformError, match="the event Odd is of the type Kinesis"):
        read(work)


def test_a_source_that_is_no_stream_is_said(read: Read) -> None:
    work = """
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Handler: work.do
      Events: {Changes: {Type: DynamoDB, Properties: {Stream: !GetAtt Things.StreamArn}}}
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
"""
    with pytest.raises(PlatformError, match="neither a queue nor a stream"):
        read(work)


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [("", 1), (", ScalingConfig: {MaximumConcurrency: 2}", 2), (", ScalingConfig: {MaximumConcurrency: 500}", 8)],
)
def test_a_queue_is_delivered_by_as_many_as_a_machine_can_take(read: Read, scaling: str, expected: int) -> None:
    work = f"""
  Work:
    Type: AWS::Serverless::Function
    Properties: {{Handler: work.do, Events: {{Jobs: {{Type: SQS, Properties: {{Queue: !GetAtt Jobs.Arn{scaling}}}}}}}}}
  Jobs: {{Type: AWS::SQS::Queue}}
"""
    (source,) = read(work).sources
    assert source.concurrency == expected


def test_one_variable_has_one_value(read: Read) -> None:
    template = read("""
  One: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Environment: {Variables: {NAME: a}}}}
  Two: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Environment: {Variables: {NAME: b}}}}
""")
    with pytest.raises(PlatformError, match="NAME is 'a' in kickstand-One and 'b' in kickstand-Two"):
        _ = template.environment


def test_nested_stacks_take_parameters_and_give_outputs(tmp_path: Path) -> None:
    (tmp_path / "nested.yaml").write_text(
        """
Parameters: {Name: {Type: String}}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Name}}
Outputs: {Arn: {Value: !GetAtt Queue.Arn}}
"""
    )
    (tmp_path / "root.yaml").write_text(
        """
Resources:
  Nested:
    Type: AWS::Serverless::Application
    Properties: {Location: nested.yaml, Parameters: {Name: given}}
  Work:
    Type: AWS::Serverless::Function
    Properties: {Handler: a.b, Environment: {Variables: {QUEUE: !GetAtt Nested.Outputs.Arn}}}
"""
    )
    template = load(tmp_path / "root.yaml", ENDPOINT)
    assert variables(template) == {"QUEUE": "arn:aws:sqs:eu-north-1:123456789012:given"}
    assert list(template.queues) == ["arn:aws:sqs:eu-north-1:123456789012:given"]
