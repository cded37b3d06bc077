"""How values are spelled on their way through the engine: pydantic's converter, whose schemas all workflows share."""

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

_SHARED = PydanticPayloadConverter()


class SharedPayloadConverter(CompositePayloadConverter):
    """The SDK makes a converter for each workflow, and one of its own would build every schema anew: 1 ms a type."""

    def __init__(self) -> None:
        super().__init__(*_SHARED.converters.values())


data_converter = DataConverter(payload_converter_class=SharedPayloadConverter)
