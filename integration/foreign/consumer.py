"""Prints the changes of a Syncline topic as JSON lines, up to the end that the topic has now.

usage: consumer.py BROKERS REGISTRY_URL TOPIC
"""
import json
import sys
from decimal import Decimal

from confluent_kafka import Consumer, KafkaError
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


def plain(v):
    """Makes a decoded value printable: decimals as text, bytes in hex."""
    if isinstance(v, dict) and v.keys() == {"scale", "value"}:  # a numeric without precision
        v = Decimal(int.from_bytes(v["value"], "big", signed=True)).scaleb(-v["scale"])
    if isinstance(v, dict):
        return {name: plain(inner) for name, inner in v.items()}
    if isinstance(v, list):
        return [plain(inner) for inner in v]
    return f"{v:f}" if isinstance(v, Decimal) else v.hex() if isinstance(v, bytes) else v


brokers, registry, topic = sys.argv[1:]
avro = AvroDeserializer(SchemaRegistryClient({"url": registry}))
consumer = Consumer({
    "bootstrap.servers": brokers, "group.id": topic + "-py", "auto.offset.reset": "earliest", "enable.auto.commit": False,
    "isolation.level": "read_committed", "enable.partition.eof": True,
})
partitions = set(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
consumer.subscribe([topic])
while partitions:
    message = consumer.poll()
    if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
        partitions.discard(message.partition())
        continue
    if message.error():
        sys.exit(str(message.error()))
    key = avro(message.key(), SerializationContext(topic, MessageField.KEY))
    event = avro(message.value(), SerializationContext(topic, MessageField.VALUE))  # None: a tombstone
    headers = dict(message.headers() or [])
    print(json.dumps({
        "key": plain(key),
        **{name: plain(event[name]) if event else None for name in ("op", "before", "after")},
        "before_is_key": headers.get("syncline.before") == b"key",
        "unchanged": json.loads(headers.get("syncline.unchanged", b"[]")),
        "raw": {name[len("syncline.raw."):]: text.decode() for name, text in headers.items() if name.startswith("syncline.raw.")},
        "version": headers["syncline.version"].hex(),
    }))
