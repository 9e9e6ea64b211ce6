#!/bin/sh
# hook-floating-ip.sh - hooks.active of hafailover where a provider's REST API leads a floating IP to a server.
#
# /etc/lbpair/floating-ip, for root and group lbpair only, says where and who, on each node for itself:
#
#	url=https://api.hetzner.cloud/v1/floating_ips/4711
#	token=...
#	server=1001
#
# The calls are those of Hetzner Cloud; others differ in names alone.
set -eu

url='' token='' server=''
# shellcheck disable=SC1090
. "${FLOATING_IP_FILE:-/etc/lbpair/floating-ip}"

# The token is nothing for the list of processes.
call() {
	printf 'header = "Authorization: Bearer %s"\n' "$token" |
		curl -sf -m 5 --config - -H 'Content-Type: application/json' "$@"
}

is_here() {
	call "$url" | grep -Eq "\"server\": *$server([^0-9]|\$)"
}

is_here && exit 0
call -X POST -d "{\"server\": $server}" "$url/actions/assign" >/dev/null
# The API has promised it.  hooks.timeout ends the waiting.
until is_here; do
	sleep 0.2
done
logger -t lbpair "the floating IP leads to $LBPAIR_NODE now, after try $LBPAIR_TRY" || :
