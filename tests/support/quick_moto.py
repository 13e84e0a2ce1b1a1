"""Lets moto answer for DynamoDB without looking for other spellings of what it has: a third of what its tests take."""

from typing import Any

from moto.core.serialize import AttributePicker, AttributePickerContext

_looked_for = AttributePicker.__call__


def _picked(self: AttributePicker, context: AttributePickerContext) -> Any:
    service = context.service_model
    plain = type(context.obj) is dict and service is not None and service.service_name == "dynamodb"
    if plain and not self.response_transformers:
        return context.obj.get(context.key)  # answers of DynamoDB are made of members that are spelled as they are sent
    return _looked_for(self, context)


def install() -> None:
    """From now on, in this process."""
    setattr(AttributePicker, "__call__", _picked)  # noqa: B010 - a method of somebody else's
