# SPDX-License-Identifier: MIT
"""A 32-bit program, made without a 32-bit compiler: it prints "hi" and exits with 7."""
import struct

BASE = 0x08048000
HEADERS = 52 + 32  # ELF header and one program header


def i386_program():
    text = b"hi\n"
    address = BASE + HEADERS
    code = b"".join([
        b"\xb8" + struct.pack("<I", 4),  # mov eax, 4 (write)
        b"\xbb" + struct.pack("<I", 1),  # mov ebx, 1
        b"\xb9" + struct.pack("<I", 0),  # mov ecx, text (set below)
        b"\xba" + struct.pack("<I", len(text)),
        b"\xcd\x80",
        b"\xb8" + struct.pack("<I", 1),  # mov eax, 1 (exit)
        b"\xbb" + struct.pack("<I", 7),
        b"\xcd\x80",
    ])
    code = code[:11] + struct.pack("<I", address + len(code)) + code[15:]
    size = HEADERS + len(code) + len(text)
    header = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, address, 52, 0,
                                                                    0, 52, 32, 1,
                                                                     0, 0, 0)
    program = struct.pack("<IIIIIIII", 1, 0, BASE, BASE, size, size, 5, 0x1000)
    return header + program + code + text
