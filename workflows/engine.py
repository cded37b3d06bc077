"""The way to Temporal: connect, wait for it when it is away, and make sure it knows our search attributes."""

import asyncio
import logging

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, GrpcCompression
from temporalio.service import RPCError

from postroom.contracts.vocabulary import SearchAttribute
from workflows.payloads import data_converter

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
QUIET_TRIES = 5


async def connect(address: str, namespace: str) -> Client:
    """Connect and prepare the namespace; tries until Temporal answers, and says so while it does not."""
    tries = 0
    while True:
        try:
            client = await Client.connect(
                address,
                namespace=namespace,
                data_converter=data_converter,
                grpc_compression=GrpcCompression.NONE,
            )
            await ensure_search_attributes(client)
        except (RuntimeError, RPCError) as error:
            tries += 1
            if tries % QUIET_TRIES == 1:
                log.warning("Temporal at %s does not answer yet (%s); accepted rows wait", address, _short(error))
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return client


async def ensure_search_attributes(client: Client) -> None:
    """Register the search attributes the namespace lacks.

    Raises:
        RPCError: Temporal is away, or refuses; the text names the attributes.
    """
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = [name for name in SearchAttribute if name not in known.custom_attributes]
    if not missing:
        return
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(missing, keyword))
    )
    log.info("registered search attributes: %s", ", ".join(missing))


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
