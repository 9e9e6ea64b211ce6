#!/bin/sh
# hook-aws.sh - hooks.active of hafailover on AWS: the IPv4 addresses of `virtual_ips` become secondary private addresses of
# this instance's first network interface, whoever has them now.
#
# Needs curl and the AWS command line, and an instance role that allows ec2:AssignPrivateIpAddresses.
set -eu

metadata=http://169.254.169.254/latest
token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$metadata/api/token")

ask() {
	curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/$1"
}

mac=$(ask mac)
interface=$(ask "network/interfaces/macs/$mac/interface-id")
region=$(ask placement/region)

set --
for address in $LBPAIR_VIRTUAL_IPS; do
	case $address in
	*:*) ;; # IPv6 cannot be taken from another interface by one call
	*) set -- "$@" "${address%/*}" ;;
	esac
done

aws ec2 assign-private-ip-addresses --region "$region" --network-interface-id "$interface" \
	--allow-reassignment --private-ip-addresses "$@" >/dev/null

# The API has promised it; it is done when the instance is told so.  hooks.timeout ends the waiting.
for address in "$@"; do
	until ask "network/interfaces/macs/$mac/local-ipv4s" | grep -Fqx "$address"; do
		sleep 0.2
	done
done
logger -t lbpair "$* are at $interface now, after try $LBPAIR_TRY" || :
