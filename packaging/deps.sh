#!/bin/sh
# deps.sh - install what is missing, on Debian (apt) and on Fedora and its kin (dnf).
#
#	deps.sh [--check] [GROUP...]	groups: build test demo lint fuzz bench testssl package machines kernel (default: all but the last five)
#
# Says what it installs, says nothing when everything is there.  Probes look for the thing itself (a command,
# a header), not for the package, so that hand-built libraries count.  --check only reports; so does a user
# who is not root.  docs/dependencies.md has one line of reason for each.
set -eu

check_only=no
if [ "${1:-}" = --check ]; then
	check_only=yes
	shift
fi
[ $# -gt 0 ] || set -- build test demo lint fuzz
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps ip, out of a user's sight

if command -v apt-get >/dev/null 2>&1; then
	family=apt
elif command -v dnf >/dev/null 2>&1; then
	family=dnf
else
	family=none
fi
missing=

has_command() {
	command -v "$1" >/dev/null 2>&1
}

has_header() {
	for dir in /usr/include /usr/local/include "/usr/include/$(uname -m)-linux-gnu"; do
		[ ! -e "$dir/$1" ] || return 0
	done
	return 1
}

has_grpc() {
	/usr/bin/python3 -c 'import grpc' 2>/dev/null
}

has_python() { # with its library: python3-minimal has not all of it
	/usr/bin/python3 -c 'import ctypes, http.server, pty, termios' 2>/dev/null
}

has_postgresql() { # Debian keeps what a server needs out of everybody's sight
	for dir in /usr/lib/postgresql/*/bin; do
		[ ! -x "$dir/$1" ] || return 0
	done
	has_command "$1"
}

has_fuzzer() { # libFuzzer and the sanitizers of clang
	echo 'int LLVMFuzzerTestOneInput(const char *, long); int LLVMFuzzerTestOneInput(const char *p, long n) {
		return n > 8 && *p; }' | clang -fsanitize=fuzzer,address -x c -o /dev/null - 2>/dev/null
}

# need APT-PACKAGE DNF-PACKAGE PROBE...
need() {
	apt=$1 dnf=$2
	shift 2
	! "$@" || return 0
	case $family in
	apt) package=$apt ;;
	*) package=$dnf ;;
	esac
	case " $missing " in
	*" $package "*) ;;
	*) missing="$missing $package" ;;
	esac
}

for group in "$@"; do
	case $group in
	build)
		has_command clang || need gcc gcc has_command gcc
		need make make has_command make
		need libc6-dev glibc-devel has_header stdio.h
		need libev-dev libev-devel has_header ev.h
		need libssl-dev openssl-devel has_header openssl/ssl.h
		need libnghttp2-dev libnghttp2-devel has_header nghttp2/nghttp2.h
		need libc-ares-dev c-ares-devel has_header ares.h
		need libjansson-dev jansson-devel has_header jansson.h
		need libcap-ng-dev libcap-ng-devel has_header cap-ng.h
		need libnl-3-dev libnl3-devel has_header libnl3/netlink/netlink.h
		need libbpf-dev libbpf-devel has_header bpf/libbpf.h
		need clang clang has_command clang
		;;
	test)
		need libcmocka-dev libcmocka-devel has_header cmocka.h
		need python3 python3 has_python
		need iproute2 iproute has_command ip
		need openssl openssl has_command openssl
		need procps procps-ng has_command ps
		need keepalived keepalived has_command keepalived
		need curl curl has_command curl
		need nghttp2-client nghttp2 has_command nghttp
		need python3-grpcio python3-grpcio has_grpc
		need util-linux util-linux has_command unshare
		need redis-server redis has_command redis-server
		need postgresql postgresql-server has_postgresql initdb
		need postgresql postgresql-contrib has_postgresql pgbench
		need haproxy haproxy has_command haproxy
		;;
	demo)
		need python3 python3 has_python
		need iproute2 iproute has_command ip
		need util-linux util-linux has_command nsenter
		need curl curl has_command curl
		;;
	lint)
		need git git has_command git
		need clang clang has_command clang
		need clang-format clang-tools-extra has_command clang-format
		need clang-tidy clang-tools-extra has_command clang-tidy
		need cppcheck cppcheck has_command cppcheck
		need mandoc mandoc has_command mandoc
		need shellcheck ShellCheck has_command shellcheck
		need liburing-dev liburing-devel has_header liburing.h # the analysers read the tools of `make bench`, too
		;;
	fuzz)
		need clang clang has_command clang
		need libclang-rt-dev compiler-rt has_fuzzer
		;;
	bench)
		need haproxy haproxy has_command haproxy
		need nghttp2-client nghttp2 has_command h2load
		need nginx-light nginx has_command nginx
		need valgrind valgrind has_command valgrind
		need strace strace has_command strace
		need liburing-dev liburing-devel has_header liburing.h
		;;
	testssl)
		need testssl.sh testssl has_command testssl
		;;
	package)
		need dpkg-dev dpkg-dev has_command dpkg-buildpackage
		need debhelper debhelper has_command dh
		need lintian lintian has_command lintian
		need rpm rpm-build has_command rpmbuild
		need debugedit debugedit has_command debugedit
		need elfutils elfutils has_command eu-strip
		need rpmlint rpmlint has_command rpmlint
		;;
	machines)
		need debootstrap debootstrap has_command debootstrap
		need systemd-container systemd-container has_command systemd-nspawn
		need iproute2 iproute has_command ip
		need python3 python3 has_python
		need gdb gdb has_command gdb
		;;
	kernel)
		need qemu-system-x86 qemu-system-x86 has_command qemu-system-x86_64
		need kmod kmod has_command depmod
		;;
	*)
		echo "deps.sh: no group $group (build test demo lint fuzz bench testssl package machines kernel)" >&2
		exit 2
		;;
	esac
done

[ -n "$missing" ] || exit 0
missing=${missing# }

if [ $check_only = yes ] || [ $family = none ]; then
	echo "missing:  $missing" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "missing:  $missing" >&2
	echo "install:  sudo $0 $*" >&2
	exit 1
fi

# Peers of tests and of `make bench` are Debian services: installing them must not start a web server here, nor at
# the next boot, nor make a cluster of databases that nobody asked for.
held=
hold_services() {
	trap 'rm -f $held' EXIT
	case " $missing " in
	*" postgresql "*)
		held=/etc/postgresql-common/createcluster.d/lbpair.conf
		mkdir -p "${held%/*}"
		echo 'create_main_cluster = off' >$held
		;;
	esac
	[ ! -e /usr/sbin/policy-rc.d ] || return 0
	held="$held /usr/sbin/policy-rc.d"
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
}

disable_services() {
	for service in haproxy nginx redis-server; do
		case " $missing " in
		*" $service"*) ! has_command systemctl || systemctl -q disable "$service" || true ;;
		esac
	done
}

echo "installing: $missing"
# shellcheck disable=SC2086 # a list of package names
case $family in
apt)
	hold_services
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null
	disable_services
	;;
dnf)
	# Headers of libev, jansson and cmocka live in CRB on RHEL and its rebuilds, the lint tools in EPEL.
	if grep -q '^ID_LIKE=.*rhel' /etc/os-release; then
		dnf -q -y install epel-release || true
		dnf -q -y --enablerepo=crb --setopt=install_weak_deps=False install $missing
	else
		dnf -q -y --setopt=install_weak_deps=False install $missing
	fi
	;;
esac
