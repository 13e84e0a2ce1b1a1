"""Every rule is silent on a good template and speaks when one thing in it is taken away."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from cfnlint.rules import RulesCollection
from cfnlint.template import Template

from tools.cloudformation import load, loads
from tools.registry import ROOT

GOOD = """
Globals:
  Function:
    MemorySize: 512
    Timeout: 30
    LoggingConfig: {LogGroup: !Ref Log, LogFormat: JSON}
Resources:
  Log: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 30}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]
      ManagedPolicyArns: [!Ref Shared]
      Policies:
        - PolicyDocument:
            Statement:
              - {Effect: Allow, Action: "dynamodb:Query", Resource: !Sub "${Table.Arn}/index/riders"}
              - {Effect: Allow, Action: ["s3:GetObject"], Resource: !Sub "${Bucket.Arn}/receipts/*"}
              - {Effect: Allow, Action: "iot:Publish", Resource: !Sub "arn:aws:iot:x:1:topic/vehicles/*"}
              - {Effect: Allow, Action: ["logs:CreateLogDelivery", "logs:GetLogDelivery"], Resource: "*"}
              - {Effect: Allow, Action: "sns:Publish", Resource: "*"}
              - {Effect: Deny, Action: "*", Resource: "*"}
  Shared:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {Statement: {Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt Failures.Arn}}
  Follow:
    Type: AWS::Serverless::Function
    Properties:
      Role: !GetAtt Role.Arn
      EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}}
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            MaximumRetryAttempts: 10
            MaximumRecordAgeInSeconds: 86400
            BisectBatchOnFunctionError: true
            FunctionResponseTypes: [ReportBatchItemFailures]
            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}
        Messages:
          Type: SQS
          Properties: {Queue: !GetAtt Queue.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: true
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
      TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
      SSESpecification: {SSEEnabled: true}
  Queue:
    Type: AWS::SQS::Queue
    Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Failures.Arn, maxReceiveCount: 5}}
  Failures: {Type: AWS::SQS::Queue}
  FailuresAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{Name: QueueName, Value: !GetAtt Failures.QueueName}]
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties: {Logging: {Level: ALL, IncludeExecutionData: false, Destinations: [{}]}}
  MachineAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - MetricStat:
            Metric: {MetricName: ExecutionsFailed, Dimensions: [{Name: StateMachineArn, Value: !Ref Machine}]}
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefaultRouteSettings: {ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20}
      AccessLogSettings: {DestinationArn: arn}
"""

Change = Callable[[dict[str, Any]], object]


def resource(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda template: template["Resources"][name]


def without(name: str, *path: str) -> Change:
    def change(template: dict[str, Any]) -> None:
        part: Any = template["Resources"][name]
        for step in path[:-1]:
            part = part[step]
        del part[path[-1]]

    return change


def given(name: str, value: Any, *path: str) -> Change:
    def change(template: dict[str, Any]) -> None:
        part: Any = template["Resources"][name]
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value

    return change


def allowing(**changes: Any) -> Change:
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:x:1:queue", **changes}

    def change(template: dict[str, Any]) -> None:
        template["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(statement)

    return change


def without_globals(name: str) -> Change:
    return lambda template: template["Globals"]["Function"].pop(name)


EVENTS = ("Properties", "Events")
CHANGES = (*EVENTS, "Changes", "Properties")
BROKEN: list[tuple[str, Change]] = [
    ("E9101", without_globals("MemorySize")),
    ("E9101", without_globals("Timeout")),
    ("E9101", without_globals("LoggingConfig")),
    ("E9101", without("Follow", "Properties", "Role")),
    ("E9102", given("Follow", ["AWSLambdaExecute"], "Properties", "Policies")),
    ("E9103", without("Follow", *CHANGES, "DestinationConfig")),
    ("E9103", without("Follow", *CHANGES, "MaximumRetryAttempts")),
    ("E9103", without("Follow", *CHANGES, "MaximumRecordAgeInSeconds")),
    ("E9103", without("Follow", *CHANGES, "BisectBatchOnFunctionError")),
    ("E9103", without("Follow", *CHANGES, "FunctionResponseTypes")),
    ("E9103", without("Follow", *EVENTS, "Messages", "Properties", "FunctionResponseTypes")),
    ("E9103", without("Follow", "Properties", "EventInvokeConfig")),
    ("E9111", without("Table", "DeletionPolicy")),
    ("E9111", without("Table", "UpdateReplacePolicy")),
    ("E9111", given("Table", "PROVISIONED", "Properties", "BillingMode")),
    ("E9111", without("Table", "Properties", "DeletionProtectionEnabled")),
    ("E9111", without("Table", "Properties", "PointInTimeRecoverySpecification")),
    ("E9111", without("Table", "Properties", "TimeToLiveSpecification")),
    ("E9111", without("Table", "Properties", "StreamSpecification")),
    ("E9111", without("Table", "Properties", "SSESpecification")),
    ("E9112", without("Log", "Properties", "RetentionInDays")),
    ("E9121", allowing(Action="sqs:*")),
    ("E9121", allowing(Action=["sqs:Get*"])),
    ("E9121", allowing(Resource="*")),
    ("E9121", allowing(Resource="arn:aws:sqs:*:1:queue")),
    ("E9121", allowing(Resource={"Fn::Sub": "${Bucket.Arn}/*"}, Action="s3:GetObject")),
    ("E9121", allowing(Resource={"Fn::Sub": "${Table.Arn}/index/*"}, Action="dynamodb:Query")),
    ("E9121", allowing(Resource={"Fn::Join": [":", ["arn:aws:sqs", "*"]]})),
    ("E9121", allowing(Resource="*", Action=["logs:CreateLogDelivery", "logs:DeleteLogGroup"])),
    ("E9121", allowing(NotResource="arn")),
    (
        "E9121",
        given("Role", {"Statement": {"Effect": "Allow", "Principal": "*"}}, "Properties", "AssumeRolePolicyDocument"),
    ),
    ("E9121", given("Role", ["arn:aws:iam::aws:policy/AdministratorAccess"], "Properties", "ManagedPolicyArns")),
    ("E9122", without("Api", "Properties", "DefaultRouteSettings")),
    ("E9122", without("Api", "Properties", "AccessLogSettings")),
    ("E9131", without("Queue", "Properties", "RedrivePolicy")),
    ("E9132", given("FailuresAlarm", "NumberOfMessagesSent", "Properties", "MetricName")),
    ("E9133", without("Machine", "Properties", "Logging")),
    ("E9133", given("Machine", True, "Properties", "Logging", "IncludeExecutionData")),
    ("E9133", without("MachineAlarm", "Properties", "Metrics")),
]


@pytest.fixture(scope="module")
def rules() -> RulesCollection:
    collection = RulesCollection()
    collection.create_from_directory(str(ROOT / "tools" / "cfn_rules"))
    return collection


def found(rules: RulesCollection, template: dict[str, Any]) -> set[str]:
    cfn = Template("template.yaml", template, ["eu-north-1"])
    return {rule.id for rule in rules for _ in rule.match(cfn)}


def test_a_good_template_is_left_alone(rules: RulesCollection) -> None:
    assert found(rules, loads(GOOD)) == set()


@pytest.mark.parametrize(("rule", "change"), BROKEN)
def test_each_fault_is_found(rules: RulesCollection, rule: str, change: Change) -> None:
    template = deepcopy(loads(GOOD))
    change(template)
    assert rule in found(rules, template)


def test_every_rule_is_proved(rules: RulesCollection) -> None:
    assert {rule.id for rule in rules} == {rule for rule, _ in BROKEN}


def test_templates_of_the_project_keep_the_rules(rules: RulesCollection) -> None:
    for path in (ROOT / "template.yaml", *ROOT.glob("functions/*/template.yaml")):
        assert found(rules, load(path)) == set(), path
