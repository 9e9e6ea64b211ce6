#!/bin/sh
# Second life of the first process, on the host's files: what an init does, then the command.  What that prints and its
# exit code leave through the two ports of the virtual console.  Without more processes the machine ends.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm "/lib/modules/$(uname -r)"
for name in stdin:0 stdout:1 stderr:2; do
	ln -s "/proc/self/fd/${name#*:}" "/dev/${name%:*}"
done
ln -s /proc/self/fd /dev/fd
mount -t devpts -o ptmxmode=666 pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount --bind "$(cat /run/machine/modules)" "/lib/modules/$(uname -r)"
ip link set lo up
hostname kernel
until [ -c /dev/vport0p1 ] && [ -c /dev/vport0p2 ]; do # the driver hears of them later
	sleep 0.1
done
{
	sh /run/machine/command </dev/null 2>&1
	echo $? >/run/machine/status
} | cat >/dev/vport0p1
cat /run/machine/status >/dev/vport0p2
echo b >/proc/sysrq-trigger
