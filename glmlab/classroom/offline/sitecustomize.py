"""Python reads this on start when its folder is on PYTHONPATH: whatever leaves the machine is refused.

The tests run the notebooks with it, so that "works without a network" is checked. So does `python -m glmlab check`.
"""

import ipaddress
import socket
import sys

LEAVES = "would leave the machine; the course must run without a network"


def refuse(event: str, args: tuple):
    """An audit hook: loopback and sockets of the file system pass, everything else raises."""
    if event == "socket.connect" and args[0].family != getattr(socket, "AF_UNIX", None):
        # A datagram's connect sends nothing; distributed uses one to learn its own address.
        if args[0].type != socket.SOCK_DGRAM and not at_home(args[1][0]):
            raise OSError(f"a connection to {args[1]} {LEAVES}")
    if event == "socket.getaddrinfo" and not at_home(args[0]):
        raise OSError(f"a look-up of {args[0]!r} {LEAVES}")


def at_home(host) -> bool:
    """Is this address or name the machine itself?"""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


sys.addaudithook(refuse)
