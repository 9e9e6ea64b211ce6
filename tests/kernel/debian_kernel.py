"""debian_kernel.py - Debian's stock kernel and its modules, unpacked and kept; nothing is installed.

    kernel = stock(folder)
    kernel.image, kernel.modules, kernel.version
"""

import glob
import os
import re
import shutil
import subprocess

META, RELEASE = "linux-image-amd64", "6.1."  # Debian 12's; on another Debian the name stands for another kernel
SHELL = "busybox-static"  # for the first process, before there is a root file system


class Failure(Exception):
    pass


class Kernel:
    def __init__(self, tree):
        self.tree = tree
        self.image, = glob.glob(os.path.join(tree, "boot/vmlinuz-*"))
        self.version = os.path.basename(self.image).removeprefix("vmlinuz-")
        self.modules = os.path.join(tree, "lib/modules", self.version)
        self.busybox = os.path.join(tree, "bin/busybox")
        self.package = os.path.basename(tree)

    def with_dependencies(self, names):
        """Paths of the modules in the order in which they can be loaded; what is built in has none."""
        needs, found = {}, []
        with open(os.path.join(self.modules, "modules.dep")) as f:
            for line in f:
                path, _, others = line.partition(":")
                needs[path] = others.split()
        files = {os.path.basename(path).split(".")[0].replace("-", "_"): path for path in needs}
        for name in names:
            if path := files.get(name):
                found += [p for p in (*reversed(needs[path]), path) if p not in found]
        return [os.path.join(self.modules, path) for path in found]


def output(*argv, cwd=None):
    try:
        done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError as e:
        raise Failure(f"{argv[0]} is missing: packaging/deps.sh kernel") from e
    if done.returncode != 0:
        raise Failure(f"{' '.join(argv)}: {done.stdout[-2000:]}")
    return done.stdout


def newest():
    """The package that the meta package stands for today."""
    found = re.search(r"Depends: (linux-image-\S+)", output("apt-cache", "depends", META))
    if not found or not found[1].startswith("linux-image-" + RELEASE):
        raise Failure(f"{META} is {found[1] if found else 'unknown'} here, not {RELEASE}*: "
                      "needs the package lists of Debian 12 (apt-get update)")
    return found[1]


def stock(folder):
    """What is there stays in use: remove the folder to get a newer one."""
    kept = sorted(path for path in glob.glob(os.path.join(folder, "linux-image-*")) if not path.endswith(".new"))
    if not kept:
        kept = [fetch(folder, newest())]
    return Kernel(kept[-1])


def fetch(folder, package):
    """apt checks the signatures."""
    tree = os.path.join(folder, package)
    making = tree + ".new"
    shutil.rmtree(making, ignore_errors=True)
    os.makedirs(making)
    print(f"     {package} into {tree}, once", flush=True)
    for name in (package, SHELL):
        output("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name, cwd=making)
        archive, = glob.glob(os.path.join(making, name + "_*.deb"))
        output("dpkg-deb", "-x", archive, making)
        os.remove(archive)
    shutil.rmtree(os.path.join(making, "usr"))  # hooks and documentation
    output("depmod", "-b", making, package.removeprefix("linux-image-"))
    os.rename(making, tree)
    return tree
