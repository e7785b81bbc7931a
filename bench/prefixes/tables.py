"""Prefixes as the Internet's routing tables have them, and a network's description of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

# Prefix lengths, by the number of routes in a thousand that have them.
V4_LENGTHS = {24: 590, 23: 90, 22: 110, 21: 50, 20: 45, 19: 30, 18: 20, 17: 15, 16: 45, 14: 5}
V6_LENGTHS = {48: 480, 32: 130, 44: 120, 40: 90, 36: 60, 46: 40, 42: 30, 64: 30, 29: 20}
REGISTRIES = (0x200, 0x240, 0x260, 0x280, 0x2A0, 0x2C0)  # the /12 of IPv6 blocks
V6_SHARE = 0.25
NETWORKS = 100

Prefix = tuple[int, int, int]
"""Bits of the family, address, length."""


def prefixes(count: int, seed: int) -> list[Prefix]:
    """Return so many different prefixes of both families; many are inside others."""
    chance = random.Random(seed)
    v6_count = round(count * V6_SHARE)
    return _v4(count - v6_count, chance) + _v6(v6_count, chance)


def _v4(count: int, chance: random.Random) -> list[Prefix]:
    found: set[Prefix] = set()
    lengths, weights = list(V4_LENGTHS), list(V4_LENGTHS.values())
    while len(found) < count:
        (length,) = chance.choices(lengths, weights)
        address = chance.randrange(1 << 24, 224 << 24)
        found.add((32, address >> 32 - length << 32 - length, length))
    return sorted(found)


def _v6(count: int, chance: random.Random) -> list[Prefix]:
    """Registries give out blocks of few /12, and what is announced lies in them."""
    blocks = [
        chance.choice(REGISTRIES) << 20 | chance.getrandbits(20) for _ in range(count // 20 + 1)
    ]
    found: set[Prefix] = set()
    lengths, weights = list(V6_LENGTHS), list(V6_LENGTHS.values())
    while len(found) < count:
        (length,) = chance.choices(lengths, weights)
        address = chance.choice(blocks) << 96 | chance.getrandbits(96)
        found.add((128, address >> 128 - length << 128 - length, length))
    return sorted(found)


def clients(table: Sequence[Prefix], bits: int, count: int, seed: int) -> list[bytes]:
    """Return addresses, most of them in a prefix of the table, some in none."""
    chance = random.Random(seed)
    ours = [prefix for prefix in table if prefix[0] == bits]
    found = []
    for _ in range(count):
        _bits, address, length = chance.choice(ours)
        if chance.random() < 0.1:
            address, length = 1 << bits - 3, 3
        found.append((address | chance.getrandbits(bits - length)).to_bytes(bits // 8, "big"))
    return found


def write_description(table: Sequence[Prefix], folder: Path) -> Path:
    """Write a description in which these prefixes are shared out to networks; return its path."""
    lines = ['[[site]]\nname = "here"\n']
    lines.append('[[server]]\nname = "s1"\nsite = "here"\nhost = "s1.example"\n')
    lines.append('[[class]]\nname = "all"\n')
    for number in range(NETWORKS):
        mine = [_text(prefix) for prefix in table[number::NETWORKS]]
        (folder / f"n{number}.prefixes").write_text("\n".join(mine) + "\n", encoding="ascii")
        lines.append(
            f'[[network]]\nname = "n{number}"\nprefix_file = "n{number}.prefixes"\n\n'
            f'[[coverage]]\nname = "c{number}"\nnetworks = ["n{number}"]\n'
            'sites = [{ name = "here" }]\n'
        )
    lines.append('[[coverage]]\nname = "others"\ndefault = true\nsites = [{ name = "here" }]\n')
    path = folder / "network.toml"
    path.write_text("\n".join(lines), encoding="ascii")
    return path


def _text(prefix: Prefix) -> str:
    bits, address, length = prefix
    return f"{IPv4Address(address) if bits == 32 else IPv6Address(address)}/{length}"
