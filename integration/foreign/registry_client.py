"""Calls a schema registry with Confluent's client and prints the result of each call as a line of JSON.

usage: registry_client.py REGISTRY_URL EXPRESSION...

An expression is Python on `client`; `record(field, ...)` makes an Avro schema. The registry's errors are printed as text:
HTTP status and error code.
"""
import json
import sys

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, ServerConfig  # noqa: F401
from confluent_kafka.schema_registry.error import SchemaRegistryError

client = SchemaRegistryClient({"url": sys.argv[1]})


def record(*fields, references=()):
    fields = [{"name": name, "type": kind, **more} for name, kind, more in fields]
    return Schema(json.dumps({"type": "record", "name": "r", "fields": fields}), "AVRO", list(references))


required, optional = ("id", "long", {}), ("note", ["null", "string"], {"default": None})
for expression in sys.argv[2:]:
    client.clear_caches()
    try:
        result = eval(expression)
    except SchemaRegistryError as e:
        result = f"{e.http_status_code} {e.error_code}"
    print(json.dumps(result))
