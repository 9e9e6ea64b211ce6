#!/usr/bin/python3
"""witness_check.py HAFAILOVER: witness.json, its man page, its JSON Schema and the program agree.

Each witness/NAME.json against NAME.want: the exact messages of a bad file, or the effective configuration of a good one,
which prints as itself.  GOLDEN_WRITE=1 writes the .want files anew instead of comparing; read what changed.  The man page
describes each key of the schema; the schema refuses what the program refuses, but for BEYOND; the examples are good.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "golden"))
import docs_check  # noqa: E402
import schema_check  # noqa: E402

MAN = ROOT / "docs/witness.json.5"
SECTIONS = {"Top level": None, "pairs": "pair", "admin": "admin", "log": "log"}
BEYOND = {"pair_twice", "lease", "admin_port"}


def ask(program, option, path):
    done = subprocess.run([program, "--witness", option, "-c", path.name], cwd=path.parent, text=True,
                          capture_output=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def check_file(program, path):
    code, printed, errors = ask(program, "-T", path)
    got, want = printed if code == 0 else errors, path.with_suffix(".want")
    if (code == 0) != path.name.startswith("good_"):
        yield f"{path.name}: is named wrongly, for it says:\n{got}"
    if os.environ.get("GOLDEN_WRITE"):
        want.write_text(got)
    elif want.read_text() != got:
        yield f"{path.name}: expected:\n{want.read_text()}got:\n{got}"
    if code == 0:
        with tempfile.TemporaryDirectory() as folder:
            again = pathlib.Path(folder) / "witness.json"
            again.write_text(printed)
            if ask(program, "-T", again)[1] != printed:
                yield f"{path.name}: what is printed does not print as itself"


def check_secrets(program):
    """-t reads the secrets, too: what is missing, open to all, or the same for two pairs is refused."""
    with tempfile.TemporaryDirectory() as folder:
        def said(*secrets):
            pairs = []
            for i, (text, mode) in enumerate(secrets):
                path = pathlib.Path(folder) / f"secret{i}"
                path.write_text(text)
                path.chmod(mode)
                pairs.append({"name": f"pair{i}", "secret_file": str(path)})
            file = pathlib.Path(folder) / "witness.json"
            file.write_text(json.dumps({"pairs": pairs}))
            code, _, errors = ask(program, "-t", file)
            return code, errors
        for secrets, word in ((((16 * "a", 0o600), (16 * "b", 0o640)), ""), (((16 * "a", 0o604),), "everybody"),
                              (((15 * "a", 0o600),), "15 bytes"),
                              (((16 * "a", 0o600), (16 * "a", 0o600)), "the same secret")):
            code, errors = said(*secrets)
            if (code == 0) != (word == "") or word not in errors:
                yield f"secrets {secrets}: {code} {errors}"


def check_secret_of_node(program):
    """A node has one for its witness alone: hafailover -t reads that, too."""
    with tempfile.TemporaryDirectory() as folder:
        secret = pathlib.Path(folder) / "secret"
        secret.write_text(16 * "a")
        secret.chmod(0o600)
        for other, word in (("secret", "ok"), ("none", "witness.secret_file: cannot open")):
            file = pathlib.Path(folder) / "hafailover.json"
            file.write_text(json.dumps({
                "nodes": [{"name": f"lb{n}", "address": f"192.0.2.{n}"} for n in (1, 2)], "virtual_ips": ["192.0.2.9"],
                "secret_file": str(secret), "witness": {"address": "192.0.2.5", "secret_file": f"{folder}/{other}"}}))
            done = subprocess.run([program, "-t", "-c", file, "--node", "lb1"], text=True, capture_output=True, timeout=30)
            if (done.returncode == 0) != (word == "ok") or word not in done.stdout + done.stderr:
                yield f"secret of the witness: {done}"


def check_documents(program, schema, validator):
    keys = docs_check.man_keys(MAN.read_text())
    for place, name in SECTIONS.items():
        yield from docs_check.check_object(schema, place, schema["$defs"][name] if name else schema, keys.pop(place, {}))
    yield from (f"{place}: the schema has no such object" for place in keys)
    blocks = [b for b in docs_check.man_blocks(MAN.read_text()) if b.lstrip().startswith("{")]
    if len(blocks) < 2:
        yield "the examples of the man page are not found"
    for block in blocks:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "witness.json"
            path.write_text(block)
            if ask(program, "-T", path)[0] != 0:
                yield f"refused: {block}"
            yield from filter(None, [schema_check.check(validator, path)])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = os.path.abspath(sys.argv[1])
    schema_check.SCHEMA = ROOT / "docs/schema/witness.schema.json"
    schema_check.BEYOND = BEYOND
    schema = json.loads(schema_check.SCHEMA.read_text())
    validator = schema_check.Validator(schema)
    files = sorted((HERE / "witness").glob("*.json"))
    complaints = [text for p in files for text in check_file(program, p)]
    complaints += [f"{p.name}: {text}" for p in files if (text := schema_check.check(validator, p))]
    complaints += [*check_secrets(program), *check_secret_of_node(program)]
    complaints += [*check_documents(program, schema, validator)]
    for line in complaints:
        print(line)
    print(f"witness: {len(files)} configurations, {len(complaints)} complaints")
    sys.exit(1 if complaints or len(files) < 10 else 0)


if __name__ == "__main__":
    main()
