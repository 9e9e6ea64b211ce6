#!/usr/bin/python3
"""Holds docs/schema/lbd.schema.json to the golden configurations.

Every good_*.json and every example must validate, every bad_*.json must not, except those in BEYOND: their fault is one that a
schema cannot express.  An entry of BEYOND that the schema does catch is an error, too, so the list stays true.

The validator knows the keywords that our schema uses and refuses any other.  Standard library only.
"""
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
SCHEMA = DOCS / "schema" / "lbd.schema.json"

# What only lbd -t sees, by what it is about.
BEYOND = {
    # one key against another
    "access_both", "bind_admin", "bind_mapped_twice", "bind_twice", "bind_two_listeners", "health_port_unix",
    "health_timeout", "health_timeout_default_interval", "listener_name_twice", "tls_ciphers_1_3", "tls_clients_off", "redirect_tls", "redirect_routes", "hsts_plain", "http2_tls",
    "per_try",
    "tcp_routes", "tcp_http2", "sni_plain", "health_send_twice",
    "listener_pool_unknown", "pool_twice", "server_key_long", "server_name_twice", "server_twice",
    "hash_balance_factor", "hash_key_unused", "stickiness_secret", "stickiness_secrets", "stickiness_same_site",
    "stickiness_domain", "routes_hidden",
    "resolver_bounds", "resolve_max_address", "resolver_servers_unix",
    # values within strings: ranges of durations and sizes, addresses, lengths of paths
    "admin_http_port", "bind_unix_long", "duration_long", "duration_zero", "size_overflow",
    # names: the default is derived, or the resolver decides
    "bind_unnameable", "resolve_key_long",
}

ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "default"}


def same(a, b):
    """JSON equality: 1 is not true."""
    return type(a) is type(b) and a == b


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"object": dict, "array": list, "string": str, "boolean": bool}[name])


class Validator:
    def __init__(self, schema):
        self.root = schema

    def resolve(self, ref):
        node = self.root
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]
        return node

    def valid(self, value, schema):
        """Does the value satisfy every keyword of the schema?"""
        if isinstance(schema, bool):
            return schema
        return all(self.keyword(value, schema, word, arg) for word, arg in schema.items())

    def keyword(self, value, schema, word, arg):
        if word in ANNOTATIONS or word in ("then", "else"):
            return True
        method = getattr(self, "on_" + word.replace("$", ""), None)
        if method is None:
            sys.exit(f"{SCHEMA}: the keyword {word!r} is not known to this checker")
        return method(value, arg, schema)

    def on_ref(self, value, arg, _):
        return self.valid(value, self.resolve(arg))

    def on_type(self, value, arg, _):
        return is_type(value, arg)

    def on_enum(self, value, arg, _):
        return any(same(value, a) for a in arg)

    def on_const(self, value, arg, _):
        return same(value, arg)

    def on_anyOf(self, value, arg, _):
        return any(self.valid(value, a) for a in arg)

    def on_if(self, value, arg, schema):
        return self.valid(value, schema.get("then" if self.valid(value, arg) else "else", True))

    def on_required(self, value, arg, _):
        return not isinstance(value, dict) or all(key in value for key in arg)

    def on_dependentRequired(self, value, arg, _):
        return not isinstance(value, dict) or all(set(needs) <= value.keys() for key, needs in arg.items() if key in value)

    def on_properties(self, value, arg, _):
        if not isinstance(value, dict):
            return True
        return all(self.valid(value[key], sub) for key, sub in arg.items() if key in value)

    def on_additionalProperties(self, value, arg, schema):
        if not isinstance(value, dict):
            return True
        others = [v for k, v in value.items() if k not in schema.get("properties", {})]
        return not others if arg is False else all(self.valid(v, arg) for v in others)

    def on_maxProperties(self, value, arg, _):
        return not isinstance(value, dict) or len(value) <= arg

    def on_propertyNames(self, value, arg, _):
        return not isinstance(value, dict) or all(self.valid(k, arg) for k in value)

    def on_items(self, value, arg, _):
        return not isinstance(value, list) or all(self.valid(v, arg) for v in value)

    def on_minItems(self, value, arg, _):
        return not isinstance(value, list) or len(value) >= arg

    def on_maxItems(self, value, arg, _):
        return not isinstance(value, list) or len(value) <= arg

    def on_uniqueItems(self, value, arg, _):
        if not isinstance(value, list) or not arg:
            return True
        return not any(same(a, b) for i, a in enumerate(value) for b in value[:i])

    def on_minLength(self, value, arg, _):
        return not isinstance(value, str) or len(value) >= arg

    def on_maxLength(self, value, arg, _):
        return not isinstance(value, str) or len(value) <= arg

    def on_pattern(self, value, arg, _):
        if not isinstance(value, str):
            return True
        # "$" of a JSON Schema is the very end, Python's also stands before a last newline
        return bool(re.search(arg, value)) and not value.endswith("\n")

    def on_minimum(self, value, arg, _):
        return not is_type(value, "integer") or value >= arg

    def on_maximum(self, value, arg, _):
        return not is_type(value, "integer") or value <= arg


def no_duplicates(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a key is given twice")
    return dict(pairs)


def load(path):
    """The document, or None if it is not JSON as lbd takes it: then no schema is asked."""
    try:
        return json.loads(path.read_bytes().decode(), object_pairs_hook=no_duplicates)
    except ValueError:
        return None


def check(validator, path):
    """A complaint, or None."""
    good = not path.name.startswith("bad_")
    name = path.stem.removeprefix("bad_")
    document = load(path)
    valid = document is not None and validator.valid(document, validator.root)
    if good and not valid:
        return "lbd takes it, the schema does not"
    if not good and valid and name not in BEYOND:
        return "lbd refuses it, the schema does not"
    if not good and not valid and name in BEYOND:
        return "is listed as beyond the schema, but the schema refuses it"
    return None


def main():
    validator = Validator(json.loads(SCHEMA.read_text()))
    examples = [p for p in (DOCS / "examples").glob("*.json") if not p.name.startswith("hafailover")]
    files = sorted([*HERE.glob("*.json"), *examples])
    bad = {p.stem.removeprefix("bad_") for p in files if p.name.startswith("bad_")}
    complaints = [f"{p.name}: {text}" for p in files if (text := check(validator, p))]
    complaints += [f"bad_{name}.json: is listed but not there" for name in sorted(BEYOND - bad)]
    for line in complaints:
        print(line)
    print(f"schema: {len(files)} configurations, {len(BEYOND)} beyond it, {len(complaints)} wrong")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
