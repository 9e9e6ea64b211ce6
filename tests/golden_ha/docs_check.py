#!/usr/bin/python3
"""docs_check.py HAFAILOVER: what the documents say about hafailover.json is true.

Every whole configuration in docs/, README.md and the man pages is taken by hafailover, and what `hafailover -T` prints of it
prints as itself.  The man page hafailover.json(5) describes each key of the JSON Schema, with its range and default.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/golden"))
import docs_check  # noqa: E402

MAN = ROOT / "docs/hafailover.json.5"
SCHEMA = ROOT / "docs/schema/hafailover.schema.json"
SECTIONS = {"nodes": "node", "virtual_ips": "vipObject", "instances": "instance", "vrrp": "vrrp",
            "heartbeat": "heartbeat", "handover": "handover", "track": "track", "lbd": "trackLbd", "scripts": "script",
            "witness": "witness", "hooks": "hooks", "admin": "admin", "log": "log"}
SECRETS = {"/etc/lbpair/secret": "0123456789abcdef", "/etc/lbpair/vrrp": "password"}
LEAST_CONFIGURATIONS = 5  # fewer found means that the extraction is broken


def is_whole(block):
    return block.lstrip().startswith("{") and '"nodes"' in block and ('"secret_file"' in block or '"vrrp"' in block)


def configurations():
    """(where, text) of each."""
    for path in sorted((ROOT / "docs/examples").glob("hafailover*.json")):
        yield path.name, path.read_text()
    yield from docs_check.blocks(is_whole)


def run(program, option, text):
    with tempfile.TemporaryDirectory() as folder:
        path, here = pathlib.Path(folder) / "hafailover.json", {}
        for name, content in SECRETS.items():
            here[name] = pathlib.Path(folder) / pathlib.Path(name).name
            here[name].write_text(content)
            here[name].chmod(0o600)
            text = text.replace(name, str(here[name]))
        path.write_text(text)
        done = subprocess.run([program, option, "-c", str(path), "--node", "lb1"], text=True, capture_output=True,
                              timeout=30)
    printed = done.stdout
    for name, file in here.items():
        printed = printed.replace(str(file), name)
    return done.returncode, printed, done.stderr


def check_configuration(program, where, text):
    """Complaints about one."""
    code, _, errors = run(program, "-t", text)
    if code != 0:
        return [f"{where}: hafailover -t says {code}: {errors}"]
    _, printed, _ = run(program, "-T", text)
    _, again, _ = run(program, "-T", printed)
    return [] if printed and printed == again else [f"{where}: what hafailover -T prints does not print as itself"]


def check_defaults(schema, node, printed, place):
    """The schema's defaults against an effective configuration that has nothing else."""
    for key, child in node["properties"].items():
        child = docs_check.resolve(schema, child)
        if "default" not in child or child["default"] == {}:
            if child.get("type") == "object" and key in printed:
                yield from check_defaults(schema, child, printed[key], f"{place}.{key}")
        elif printed.get(key) != child["default"]:
            yield f"{place}.{key}: the default is {printed.get(key)!r}, the schema says {child['default']!r}"


def check_effective(program):
    schema = json.loads(SCHEMA.read_text())
    minimal = (ROOT / "docs/examples/hafailover-minimal.json").read_text()
    effective = json.loads(run(program, "-T", minimal)[1])
    yield from check_defaults(schema, schema, effective, "")
    for name, part in (("node", effective["nodes"][0]), ("instance", effective["instances"][0])):
        yield from check_defaults(schema, schema["$defs"][name], part, name)


def check_man():
    """The man page's sections against the schema's objects."""
    schema, keys = json.loads(SCHEMA.read_text()), docs_check.man_keys(MAN.read_text())
    for place, where in {"Top level": None, **SECTIONS}.items():
        node = schema["$defs"][where] if where else schema
        yield from docs_check.check_object(schema, place, node, keys.pop(place, {}))
    for place in keys:
        yield f"{place}: the schema has no such object"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    complaints, n = [*check_man(), *check_effective(sys.argv[1])], 0
    for where, text in configurations():
        complaints += check_configuration(sys.argv[1], where, text)
        n += 1
    if n < LEAST_CONFIGURATIONS:
        complaints.append(f"only {n} configurations found in the documents")
    for line in complaints:
        print(line)
    print(f"documents: {n} configurations, {len(complaints)} complaints")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
