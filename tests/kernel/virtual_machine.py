"""virtual_machine.py - one command on another kernel: this machine's files in a virtual machine that forgets.

    code = run(kernel, command, seconds, folder)

The command sees this machine's root file system as it is; what it writes goes into memory and is gone with the machine.
It is root there, alone, with a loopback interface and two processors.  What it prints is printed here as it comes.
The machine ends with this process, however that ends.
"""

import ctypes
import os
import shlex
import signal
import subprocess

from debian_kernel import Failure
from initramfs import Archive

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
APPLETS = ("sh", "mount", "umount", "mkdir", "cp", "insmod", "switch_root")
SLOWER = 6  # an emulated processor, for the time limits of tests
MEMORY, CPUS = "4G", "2"
LIBC, PR_SET_PDEATHSIG = ctypes.CDLL(None, use_errno=True), 1


def content(path):
    with open(path, "rb") as f:
        return f.read()


def initramfs(kernel, command):
    archive = Archive()
    for name in ("bin", "dev", "proc", "host", "layer", "root", "modules", "machine"):
        archive.folder(name)
    archive.console("dev/console")
    archive.file("bin/busybox", content(kernel.busybox))
    for applet in APPLETS:
        archive.link("bin/" + applet, "busybox")
    for i, path in enumerate(kernel.with_dependencies(MODULES)):
        archive.file(f"modules/{i:02}-{os.path.basename(path)}", content(path))
    archive.file("init", content(os.path.join(HERE, "init.sh")))
    archive.file("machine/inside", content(os.path.join(HERE, "inside.sh")))
    archive.file("machine/modules", os.path.abspath(kernel.modules).encode())
    archive.file("machine/command", "\n".join((
        "" if has_kvm() else f"export SLOWER={SLOWER}", f"cd {shlex.quote(os.getcwd())}", shlex.join(command), "")).encode())
    return archive.bytes()


def has_kvm():
    """Some hosts have the device without a processor that could do it: slower than no KVM at all."""
    with open("/proc/cpuinfo") as f:
        flags = f.read().split()
    return ("vmx" in flags or "svm" in flags) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def qemu(kernel, folder):
    accel = ["-accel", "kvm", "-cpu", "host"] if has_kvm() else ["-accel", "tcg,thread=multi", "-cpu", "max"]
    return ["qemu-system-x86_64", "-M", "q35", *accel, "-smp", CPUS, "-m", MEMORY, "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-nic", "none",
            "-kernel", kernel.image, "-initrd", os.path.join(folder, "initramfs"),
            "-append", "console=ttyS0 edd=off panic=-1 loglevel=5",
            "-serial", "file:" + os.path.join(folder, "console"),
            "-device", "virtio-serial-pci",  # before others: /dev/vport0p*
            "-chardev", "stdio,id=output,signal=off", "-device", "virtserialport,chardev=output,nr=1",
            "-chardev", f"file,id=status,path={folder}/status", "-device", "virtserialport,chardev=status,nr=2",
            "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"]


def settle():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()


def run(kernel, command, seconds, folder):
    """Its exit code."""
    for name, what in (("initramfs", initramfs(kernel, command)), ("console", b""), ("status", b"")):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(what)
    machine = subprocess.Popen(qemu(kernel, folder), stdin=subprocess.PIPE, preexec_fn=settle)
    try:
        machine.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"no end after {seconds:.0f} s; its console: {console(folder)}") from None
    finally:
        machine.kill()
        machine.wait()
    status = content(os.path.join(folder, "status")).strip()
    if not status:
        raise Failure(f"the machine ended before the command: {console(folder)}")
    return int(status)


def console(folder):
    return content(os.path.join(folder, "console")).decode(errors="replace")[-3000:]
