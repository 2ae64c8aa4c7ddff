"""Holds the two descriptions, given as files, against the rules of what they are written in."""

import gzip
import json
import pathlib
import sys

import jsonschema_rs
from openapi_spec_validator import OpenAPIV31SpecValidator

openapi, asyncapi = (json.load(open(path)) for path in sys.argv[1:3])
# From @asyncapi/specs 6.11.1, `3.0.0-without-$id.json`, without its spaces; Apache-2.0.
schema = pathlib.Path(__file__).with_name("asyncapi-3.0.0.json.gz")
rules = jsonschema_rs.validator_for(json.loads(gzip.decompress(schema.read_bytes())))
wrong = [f"openapi.json: {error.message}" for error in OpenAPIV31SpecValidator(openapi).iter_errors()]
wrong += [f"asyncapi.json: {error.instance_path}: {error.message}" for error in rules.iter_errors(asyncapi)]


def references(part):
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = part.values()
    if isinstance(part, (list, type({}.values()))):
        for inside in part:
            yield from references(inside)


for name, document in ("openapi.json", openapi), ("asyncapi.json", asyncapi):
    for reference in set(references(document)):
        found = document
        for key in reference.removeprefix("#/").split("/"):
            found = found.get(key.replace("~1", "/")) if isinstance(found, dict) else None
        if found is None:
            wrong.append(f"{name}: {reference} leads nowhere")
print("\n".join(wrong)[:4000])
sys.exit(bool(wrong))
