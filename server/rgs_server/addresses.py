"""From where a request comes: the address of the connection, or what trusted proxies say of it.

A proxy that is trusted appends the address that called it to X-Forwarded-For. So the list is read from its end: the
first address that is no trusted proxy is the caller's, and whatever stands before it was written by anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR form, separated by commas. Raises ValueError naming what is none."""
    found: list[Network] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            raise ValueError(f"'{part}' is no network: {error}; write it like 10.0.0.0/8 or 192.0.2.7") from None
    return tuple(found)


def plain(text: str) -> Address | None:
    """An address, IPv4 also where it is mapped into IPv6; None for anything else."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def within(address: Address, among: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    return any(address in network for network in among if network.version == address.version)


def caller(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """The address of the caller; None where a trusted proxy names none that can be read.

    `peer`: the other end of the connection; `forwarded_for`: the values of X-Forwarded-For, in order.
    """
    address = plain(peer)
    hops = [hop for value in forwarded_for for hop in value.split(",")]
    while address is not None and hops and within(address, trusted):
        address = plain(hops.pop())
    return address
