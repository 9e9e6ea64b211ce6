#!/usr/bin/python3
"""Holds docs/schema/hafailover.schema.json to the golden configurations, as tests/golden/schema_check.py does for lbd's.

BEYOND lists what only hafailover -t sees; an entry that the schema does catch is an error, too.
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "golden"))
import schema_check  # noqa: E402

BEYOND = {
    # one key against another, or against this machine
    "instance_prefer", "instance_vip_twice", "instance_vips_none", "instances_two", "node_address_same", "node_both",
    "node_both_local", "node_family", "node_name_twice", "node_none_local", "node_paths", "node_paths_repeated", "track_script_timeout",
    "track_socket_own", "vip_node", "vip_twice", "vip_empty", "vips_missing", "vips_none", "vips_twice_given",
    "secret_missing",
    "vrrp_checksum_2", "vrrp_family", "vrrp_id_missing", "vrrp_ipv6_2", "vrrp_ipv6_plain", "vrrp_keys_native",
    "witness_lease_off", "witness_node", "witness_vrrp", "vrrp_many_ipv6", "vrrp_native_keys", "vrrp_password_3", "vrrp_paths",
    "vrrp_vips_none",
    # values within strings: ranges of durations, addresses that are nobody's
    "admin_http_port", "heartbeat_interval", "lease", "lease_long", "lease_zero", "node_address_linklocal",
    "node_address_multicast", "vip_impossible", "witness_loopback", "vrrp_interval_2", "vrrp_interval_3", "vrrp_interval_fine",
}


def main():
    schema_check.SCHEMA = ROOT / "docs/schema/hafailover.schema.json"
    schema_check.BEYOND = BEYOND
    validator = schema_check.Validator(json.loads(schema_check.SCHEMA.read_text()))
    files = sorted([*HERE.glob("*.json"), *(ROOT / "docs/examples").glob("hafailover*.json")])
    bad = {p.stem.removeprefix("bad_") for p in files if p.name.startswith("bad_")}
    complaints = [f"{p.name}: {text}" for p in files if (text := schema_check.check(validator, p))]
    complaints += [f"bad_{name}.json: is listed but not there" for name in sorted(BEYOND - bad)]
    for line in complaints:
        print(line)
    print(f"schema: {len(files)} configurations, {len(BEYOND)} beyond it, {len(complaints)} wrong")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
