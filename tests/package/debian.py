"""debian.py - a small Debian 12, made once by debootstrap and kept; machines write into a layer over it."""

import glob
import hashlib
import os
import shutil
import subprocess

from network import Failure

SUITE, MIRROR = "bookworm", os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
# What the package depends on is there, so that installing it needs no network; and what reads some of its files.
PACKAGES = ("systemd-sysv", "dbus", "iproute2", "ca-certificates", "logrotate", "libev4", "libjansson4",
            "libnghttp2-14", "libnl-3-200", "libbpf1", "libssl3", "libcap-ng0", "libc-ares2", "rpm", "ufw")
KEPT = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "lbpair")


def tree():
    """Where it is.  Another list of packages is another tree; the former ones go."""
    name = f"{SUITE}-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:12]}"
    path = os.path.join(KEPT, name)
    if os.path.isdir(path):
        return path
    os.makedirs(KEPT, exist_ok=True)
    for former in os.listdir(KEPT):
        if former.startswith(SUITE + "-"):
            shutil.rmtree(os.path.join(KEPT, former))
    making = path + ".new"
    shutil.rmtree(making, ignore_errors=True)
    print(f"     Debian {SUITE} into {path}, once", flush=True)
    done = subprocess.run(["debootstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES), SUITE, making, MIRROR],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Failure(f"debootstrap: {done.stdout[-2000:]}")
    for name in ("etc/machine-id", "etc/hostname", "etc/resolv.conf"):  # each machine has its own, or none
        open(os.path.join(making, name), "w").close()
    with open(os.path.join(making, "etc/dpkg/dpkg.cfg.d/hasty"), "w") as f:
        f.write("force-unsafe-io\n")  # no machine of ours outlives its disk
    os.rename(making, path)
    return path


def layer(folder, lower):
    """A root of its own; the caller's mount namespace ends it."""
    paths = [os.path.join(folder, name) for name in ("root", "upper", "work")]
    for path in paths:
        os.makedirs(path)
    root, upper, work = paths
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}",
                    root], check=True)
    for index in glob.glob(os.path.join(root, "var/lib/apt/lists/*_*")):
        os.unlink(index)  # apt would read all of Debian for each package of ours
    return root
