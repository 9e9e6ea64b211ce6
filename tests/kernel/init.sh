#!/bin/busybox sh
# shellcheck shell=dash
# First process of the machine, in the initramfs: the host's root file system for reading, a layer of memory for
# writing, and then tests/kernel/inside.sh there.
export PATH=/bin
set -e
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do
	insmod "$module"
done
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=1048576,cache=loose host /host
mount -t tmpfs -o size=80% layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /root
mount -t tmpfs run /root/run
cp -r /machine /root/run/machine
umount /dev /proc
exec switch_root /root /run/machine/inside
