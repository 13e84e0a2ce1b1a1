"""The channel to the vehicles: AWS IoT Core. A vehicle listens on its own topic and answers on another."""

import json
import os

from kickstand.fleet.model import Command
from kickstand.kernel import aws

_AT_LEAST_ONCE = 1


def publish(command: Command) -> None:
    """Hand a command to the vehicle's topic. The vehicle obeys one command id once, however often it arrives."""
    message = {
        "command_id": command.id,
        "vehicle_id": command.vehicle_id,
        "action": command.action,
        "parameters": command.parameters,
        "sent_at": command.sent_at.isoformat(),
    }
    topic = f"{os.environ['VEHICLE_TOPIC_PREFIX']}/{command.vehicle_id}/commands"
    aws.client("iot-data").publish(topic=topic, qos=_AT_LEAST_ONCE, payload=json.dumps(message).encode())
