#!/usr/bin/python3
"""docs_check.py LBD: what the documents say about lbd.json is true.

Every whole configuration in docs/, README.md and the man pages is taken by `lbd -t`, and what `lbd -T` prints of it
prints as itself.  Whatever else looks like JSON there is JSON: an object, members of one, or an object a line.
Links between documents lead somewhere.
The man page lbd.json(5) describes each key of the JSON Schema, with its range and default.
Standard library only.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MAN = ROOT / "docs" / "lbd.json.5"
SCHEMA = ROOT / "docs" / "schema" / "lbd.schema.json"
FILE_MISSING = re.compile(r"^cannot open /etc/\S+: No such file or directory$", re.M)
BREAK = r"\:"  # where mdoc may break a long word
LEAST_CONFIGURATIONS, LEAST_EXAMPLES = 11, 20  # fewer found means that the extraction is broken


def man_blocks(text):
    """Literal displays of an mdoc page, unescaped."""
    for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.S | re.M):
        yield block.replace(r"\e", "\\").replace(r"\&", "")


def markdown_blocks(text):
    """Fenced blocks, and indented ones."""
    fenced = r"^```[a-z]*\n(.*?)^```"
    yield from re.findall(fenced, text, re.S | re.M)
    yield from re.findall(r"(?:^(?: {4}|\t).*\n|^[ \t]*\n)+", re.sub(fenced, "", text, flags=re.S | re.M), re.M)


def is_whole(block):
    return block.lstrip().startswith("{") and '"listeners"' in block and '"pools"' in block


def blocks(wanted):
    """(where, text) of those displays in the man pages and documents."""
    for path in sorted((ROOT / "docs").glob("*.[0-9]")):
        for i, block in enumerate(filter(wanted, man_blocks(path.read_text()))):
            yield f"{path.name} ({i + 1})", block
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]):
        for i, block in enumerate(filter(wanted, markdown_blocks(path.read_text()))):
            yield f"{path.name} ({i + 1})", block


def configurations():
    """(where, text) of each."""
    for path in sorted((ROOT / "docs" / "examples").glob("*.json")):
        if not path.name.startswith("hafailover"):  # tests/golden_ha has those
            yield path.name, path.read_text()
    yield from blocks(is_whole)


def looks_like_json(block):
    return re.match(r'\s*(\{\s*["}]|"[^"\n]*"\s*:)', block) is not None


def is_json(block):
    for texts in ([block], [f"{{{block}}}"], block.strip().splitlines()):
        try:
            for text in texts:
                json.loads(text)
            return True
        except ValueError:
            pass
    return False


def check_examples():
    examples = list(blocks(looks_like_json))
    if len(examples) < LEAST_EXAMPLES:
        yield f"only {len(examples)} examples found in the documents"
    for where, block in examples:
        if not is_json(block):
            yield f"{where}: is not JSON: {block}"


def check_links():
    """Of the documents to files beside them."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:\s]+)\)", path.read_text()):
            if not (path.parent / target).exists():
                yield f"{path.name}: there is no {target}"


def run(lbd, option, text, name):
    """Exit status, standard output and errors of lbd on that text."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "lbd.json"
        path.write_text(text)
        done = subprocess.run([lbd, option, "-c", str(path), "--node", name], text=True,
                              capture_output=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def check_configuration(lbd, where, text):
    """Complaints about one."""
    code, _, errors = run(lbd, "-t", text, "lb1")
    others, missing = FILE_MISSING.subn("", errors)  # an example's certificates are on its reader's machine
    if code != 0 and (others.strip() or not missing):
        return [f"{where}: lbd -t says {code}: {errors}"]
    _, printed, _ = run(lbd, "-T", text, "lb1")
    _, again, _ = run(lbd, "-T", printed, "lb2")
    if not printed or printed != again:
        return [f"{where}: what lbd -T prints does not print as itself"]
    return []


def man_keys(text):
    """{section: {key: [words in brackets]}}; keys of a nested list belong to the key that holds it."""
    found, section, holders, last = {}, None, [], None
    for line in text.splitlines():
        if line.startswith((".Ss ", ".Sh ")):
            section, holders, last = line[4:].strip(), [], None
        elif line.startswith(".Bl"):
            holders.append(last)
        elif line.startswith(".El"):
            holders.pop()
            last = None
        elif m := re.match(r"\.It Ic (\S+) Bq (.*)", line):
            last = m.group(1)
            place = holders[-1] or section
            found.setdefault(place, {})[last] = m.group(2).replace(BREAK, "").split(", ")
        elif line.startswith(".It"):
            last = None
    return found


def resolve(schema, node):
    """A property with what its $ref says."""
    name = node.get("$ref", "").removeprefix("#/$defs/")
    return {**schema["$defs"].get(name, {}), **node}


def range_of(node):
    """"1..9" of a number or an array, or None.  Sizes and durations are written with units: not compared."""
    if node.get("type") == "integer":
        return f"{node['minimum']}..{node['maximum']}"
    if node.get("type") == "array" and "maxItems" in node:
        return f"{node['minItems']}..{node['maxItems']}"
    return None


def default_of(node):
    """As the man page writes it; None: not a plain value, so it is in the text."""
    value = node.get("default")
    if isinstance(value, (dict, list)) or value is None:
        return None
    return "default " + (value if isinstance(value, str) else json.dumps(value))


def check_key(place, key, node, required, words):
    """Complaints about one key of the man page."""
    said = [w for w in words if w.startswith("default ")]
    expected = [d] if (d := default_of(node)) else []
    if said != expected:
        yield f"{place}.{key}: the man page says {said}, the schema {expected}"
    if (r := range_of(node)) and r not in words:
        yield f"{place}.{key}: the man page says {words}, the schema {r}"
    if ("required" in words) != required:
        yield f"{place}.{key}: is required in the man page or the schema only"


def check_object(schema, place, node, keys):
    """Complaints about the keys of one object."""
    properties = {k: v for k, v in node["properties"].items() if k not in ("comment", "$schema")}
    for key in properties.keys() ^ keys.keys():
        yield f"{place}.{key}: is in the man page or the schema only"
    for key in sorted(properties.keys() & keys.keys()):
        yield from check_key(place, key, resolve(schema, properties[key]),
                             key in node.get("required", []), keys[key])


def check_man():
    """The man page's sections against the schema's objects."""
    schema, keys = json.loads(SCHEMA.read_text()), man_keys(MAN.read_text())
    sections = {"Top level": schema, "listeners": "listener", "pools": "pool", "servers": "server",
                "health_check": "healthCheck", "certificates": "certificate", "client_headers": "clientHeaders",
                "redirect_https": "redirectHttps", "hsts": "hsts",
                "tls of a pool": "serverTls", "routes": "route", "headers": "fieldMatch", "query": "parameterMatch",
                "split": "share", "request_headers": "requestEdits", "circuit_breaker": "circuitBreaker",
                "access of a listener": "accessList", "client_prefix": "clientPrefix", "rate_limit": "rateLimit"}
    for name in ("log", "access", "admin", "limits", "timeouts", "resolver", "forwarded", "retry", "queue", "tls",
                 "redirect", "respond", "stickiness"):
        sections[name] = name
    for place, where in sections.items():
        node = where if isinstance(where, dict) else schema["$defs"][where]
        yield from check_object(schema, place, node, keys.pop(place, {}))
    for place in keys:
        yield f"{place}: the schema has no such object"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    complaints, n = [*check_man(), *check_examples(), *check_links()], 0
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
