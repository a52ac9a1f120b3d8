"""Where a request comes from: the name that it was sent to, and what trusted proxies say of its client. Pure.

Any name but those is refused where there is a list: a web page elsewhere could otherwise reach this server by a name
of its own that resolves to our address (DNS rebinding). Loopback's names always count: no page of elsewhere has them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
UNFIT = set("/\\@?#,* \t")
SITE = 64  # bits of an IPv6 address that a provider gives to one customer


def parse_hosts(text: str | None) -> frozenset[str]:
    """Names of hosts from a list with commas. Raises ValueError for what is no name."""
    names = frozenset(_listed(text))
    for name in names:
        if UNFIT & set(name) or (":" in name and not name.startswith("[")):
            raise ValueError(f"allowed_hosts are names without scheme, port or path, separated by commas, not {name!r}")
    return names


def parse_proxies(text: str | None) -> tuple[Network, ...]:
    """Addresses and networks (CIDR) from a list with commas. Raises ValueError for what is neither."""
    return tuple(ip_network(one) for one in _listed(text))


def _listed(text: str | None) -> Iterator[str]:
    return (one.strip().lower() for one in (text or "").split(",") if one.strip())


@dataclass(frozen=True)
class Front:
    """What a server knows of its own front: its names (None: any name will do) and the proxies before it."""

    hosts: frozenset[str] | None
    proxies: tuple[Network, ...]

    def is_host(self, scope: Scope) -> bool:
        """Whether a request was sent to this server by a name of its own, said once."""
        if self.hosts is None:
            return True
        sent = list(_values(scope, b"host"))
        return len(sent) == 1 and _name(sent[0]) in self.hosts

    def seen_through(self, scope: Scope) -> tuple[tuple[str, int], str]:
        """The client (address, port) and the scheme (http, https) that it spoke: only a trusted proxy may tell them."""
        direct, scheme = scope.get("client") or ("", 0), scope.get("scheme", "http")
        if not self._is_proxy(peer := _address(direct[0])):
            return direct, scheme
        client = self._client(peer, _values(scope, b"x-forwarded-for"))
        spoken = ",".join(_values(scope, b"x-forwarded-proto")).rpartition(",")[2].strip().lower()
        return (str(client), 0), spoken if spoken in ("http", "https") else scheme

    def _client(self, peer: Address | None, said: Iterable[str]) -> Address | None:
        """The last address in X-Forwarded-For that no trusted proxy of ours has: what stands before it is hearsay."""
        for one in reversed(",".join(said).split(",")):
            if (before := _address(one.strip())) is None:
                break
            peer = before
            if not self._is_proxy(before):
                break
        return peer

    def _is_proxy(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.proxies)


def front(host: str, allowed_hosts: str | None, trusted_proxies: str | None) -> Front:
    """The front of a server that listens at `host`. Off loopback and without a list of names it answers to any."""
    named = parse_hosts(allowed_hosts)
    hosts = named.union(LOOPBACK, [host]) if named or host in LOOPBACK else None
    return Front(hosts, parse_proxies(trusted_proxies))


def neighbourhood(address: str) -> str:
    """Who counts as one client: an IPv4 address, the network of an IPv6 address that one customer has."""
    known = _address(address)
    if isinstance(known, IPv6Address):
        return str(ip_network((known, SITE), strict=False))
    return str(known) if known else address


def _address(text: str) -> Address | None:
    """An address as proxies write it, with or without a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _values(scope: Scope, name: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for key, value in scope["headers"] if key == name)


def _name(host: str) -> str:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.lower()
