#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the uncompressed kernel out of a bzImage.

A guest without hardware support spends most of its boot decompressing the kernel; QEMU can start the
uncompressed ELF file through its PVH entry instead. The setup header says where it is (payload_offset and
payload_length, Documentation/x86/boot.rst), its first bytes say how it is compressed. Does not handle bzip2,
lzma, lzo and lz4, which Debian's kernels do not use. Tested by tests/qemu/guest_test.py.

    extract_vmlinux.py BZIMAGE VMLINUX
"""

import lzma
import struct
import subprocess
import sys
import zlib


class BadImage(Exception):
    """Says what is wrong with the image."""


def payload(image: bytes) -> bytes:
    """The compressed kernel inside a bzImage."""
    if len(image) < 0x260 or image[0x202:0x206] != b"HdrS":
        raise BadImage("byte 0x202: expected the magic HdrS of a bzImage")
    (version,) = struct.unpack_from("<H", image, 0x206)
    if version < 0x0208:
        raise BadImage(
            f"boot protocol {version:#06x}: expected 0x0208 or later, which knows the payload's place")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    if start + length > len(image):
        raise BadImage(f"payload at {start}+{length}: past the end of the image at {len(image)}")
    return image[start : start + length]


def decompress(data: bytes) -> bytes:
    """The payload's content; the kernel appends 4 bytes (its size) to some formats, which are ignored."""
    if data.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(data)
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31).decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        # No zstd in Debian 12's Python; the program stops with an error at the 4 bytes behind, having written
        # it all.
        return subprocess.run(["zstd", "-dcq"], input=data[:-4], stdout=subprocess.PIPE, check=True).stdout
    if data.startswith(b"\x7fELF"):
        return data
    raise BadImage(f"payload begins with {data[:6].hex()}: expected xz, gzip or zstd")


def extract(image: bytes) -> bytes:
    """The ELF file of the kernel in a bzImage."""
    kernel = decompress(payload(image))
    if not kernel.startswith(b"\x7fELF"):
        raise BadImage(f"decompressed payload begins with {kernel[:4].hex()}: expected an ELF file")
    return kernel


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: extract_vmlinux.py BZIMAGE VMLINUX", file=sys.stderr)
        return 2
    with open(sys.argv[1], "rb") as file:
        image = file.read()
    try:
        kernel = extract(image)
    except (BadImage, lzma.LZMAError, zlib.error, OSError, subprocess.CalledProcessError) as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    with open(sys.argv[2], "wb") as file:
        file.write(kernel)
    return 0


if __name__ == "__main__":
    sys.exit(main())
