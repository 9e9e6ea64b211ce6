"""initramfs.py - an archive as the kernel unpacks it at its start (cpio, format newc)."""

import stat


class Archive:
    def __init__(self):
        self.parts, self.count = [], 0

    def entry(self, name, mode, data=b"", device=(0, 0)):
        self.count += 1
        path = name.encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.parts += [padded(header + path), padded(data)]

    def folder(self, name):
        self.entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o755):
        self.entry(name, stat.S_IFREG | mode, data)

    def link(self, name, to):
        self.entry(name, stat.S_IFLNK | 0o777, to.encode())

    def console(self, name):
        """So that the first process has somewhere to complain."""
        self.entry(name, stat.S_IFCHR | 0o600, device=(5, 1))

    def bytes(self):
        self.entry("TRAILER!!!", 0)
        return b"".join(self.parts)


def padded(data):
    return data + b"\0" * (-len(data) % 4)
