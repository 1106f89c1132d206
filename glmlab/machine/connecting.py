"""A client of a scheduler that runs already; where none can be reached, an error that says why.

dask's own errors do not tell a wrong certificate from a scheduler that is gone, and a client that failed on TLS may
never close. Therefore `knock` tries the certificates on a connection of its own before dask makes a client.
"""

import json
import os
import socket
import ssl
import time
from pathlib import Path

import dask

__all__ = ["connect", "scheduler_named"]

VARIABLE = "DASK_SCHEDULER_ADDRESS"
BY_CONFIG = "dask's configuration (scheduler-address)"
CERTIFICATES = 'security={"tls_ca_file": …, "tls_client_cert": …, "tls_client_key": …}'


def scheduler_named(address, scheduler_file):
    """(address, who names it) of the scheduler to connect to, or None where nothing names one."""
    if address is not None and scheduler_file is not None:
        raise TypeError("client() takes an address or a scheduler_file, and both were given; leave one out")
    if address is not None and not isinstance(address, str):
        raise TypeError(f"address must be text such as 'tcp://10.0.0.1:8786', got {address!r}; "
                        "for a cluster object type distributed.Client(cluster), then client()")  # fmt: skip
    if scheduler_file is not None:
        return address_in(Path(scheduler_file)), f"the scheduler file {scheduler_file}"
    found = {
        "the argument address": address,
        VARIABLE: os.environ.get(VARIABLE),
        BY_CONFIG: dask.config.get("scheduler-address", None),
    }
    return next(((place, name) for name, place in found.items() if place), None)


def address_in(path):
    """The address in a file that `dask scheduler --scheduler-file` writes; it is waited for as long as a connection."""
    until = time.monotonic() + patience()
    while True:
        try:
            return json.loads(path.read_text())["address"]
        except FileNotFoundError:
            trouble = "does not exist"
        except (ValueError, KeyError, TypeError):  # also while it is being written
            trouble = "names no scheduler"
        if time.monotonic() > until:
            raise ConnectionError(f"The scheduler file {path} {trouble}. Correct the path, or start a scheduler: "
                                  f"dask scheduler --scheduler-file {path}") from None  # fmt: skip
        time.sleep(0.05)


def connect(address, named_by, security=None):
    """A client of the scheduler at this address, over TLS where the address says tls://.

    named_by: what gave the address, for errors. security: a distributed.Security or a dict of its parameters; by
    default what dask's configuration says. An address without tcp:// or tls:// takes TLS if there are certificates.
    Raises ValueError for certificates or an address that cannot be used, ConnectionError where nobody answers, or not
    in the same language.
    """
    from distributed import Client

    loads_its_own = security is None and dask.config.get("distributed.client.security-loader", None)
    security = None if loads_its_own else as_security(security)
    context = security and context_of(security)
    if "://" not in address:
        address = f"{'tls' if context else 'tcp'}://{address}"
    where = f"{address}, which {named_by} names"
    refuse_no_address(address, where)
    if security:
        refuse_unencrypted(address, where, security, context)
    if address.startswith("tls://") and context:
        knock(address, where, context, security)
    try:
        return Client(address, security=security)
    except OSError as error:
        if address.startswith("tcp://") and speaks_tls(address):
            raise ConnectionError(f"The scheduler at {where}, speaks TLS only. Write its address with tls://, and give "
                                  f"client() certificates: {CERTIFICATES}") from None  # fmt: skip
        raise ConnectionError(f"No scheduler answers at {where} ({error}). {cure(named_by)}") from None


def refuse_no_address(address, where):
    """Raise ValueError for an address that has no port, or that begins with something unknown."""
    from distributed.comm import get_address_host_port

    try:
        get_address_host_port(address)
    except ValueError as error:
        raise ValueError(f"{where}, is no address of a scheduler: {error}. Type it as tcp://host:8786") from None


def cure(named_by):
    """What to do where nobody answers."""
    if named_by == BY_CONFIG:
        return "Start it, correct the address, or take it out of the configuration to work on this machine."
    if named_by == VARIABLE:
        return "Start it, correct the address, or unset the variable to work on this machine."
    return "Start it, or correct the address."


def patience():
    """Seconds that dask tries to connect."""
    from dask.utils import parse_timedelta

    return parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))


# --- TLS --------------------------------------------------------------------------------------------------------------


def as_security(given):
    """What the user gave as a distributed.Security. Raises TypeError for anything else."""
    from distributed import Security

    if given is None or isinstance(given, dict):
        return Security(**(given or {}))
    if not isinstance(given, Security):
        raise TypeError(f"security must be a distributed.Security or a dict of its parameters, got {given!r}; "
                        f"type {CERTIFICATES}")  # fmt: skip
    return given


def context_of(security):
    """Python's TLS context of a client with these certificates, or None where there are none.

    Raises ValueError where a file is missing or is no certificate.
    """
    try:
        return security.get_connection_args("client")["ssl_context"]
    except OSError as error:  # ssl.SSLError is one too
        parts = {"ca file": security.tls_ca_file, "certificate": security.tls_client_cert,
                 "key": security.tls_client_key}  # fmt: skip
        files = ", ".join(f"{name} {file}" for name, file in parts.items() if file and "\n" not in file)
        raise ValueError(f"The certificates for TLS cannot be read ({error}). Correct the paths: {files}") from None


def refuse_unencrypted(address, where, security, context):
    """Raise ValueError where the address and the certificates do not go together."""
    if address.startswith("tls://") and context is None:
        raise ValueError(f"{where}, needs certificates: an authority and a client's own. Give client() {CERTIFICATES}, "
                         "or set distributed.comm.tls in dask's configuration")  # fmt: skip
    if address.startswith("tcp://") and security.require_encryption:
        raise ValueError(f"{where}, is not encrypted, and the security settings require encryption; "
                         f"write tls{address.removeprefix('tcp')}, or set require_encryption to False")  # fmt: skip


def knock(address, where, context, security):
    """Raise ConnectionError where TLS fails at this address.

    A scheduler that is not there is left to dask.
    """
    try:
        with connection(address) as plain, context.wrap_socket(plain) as door:
            door.recv(1)  # the scheduler speaks first; with TLS 1.3 it says only now that it refuses our certificate
    except ssl.SSLCertVerificationError as error:
        raise ConnectionError(
            f"The scheduler at {where}, shows a certificate that {name_of(security.tls_ca_file)} does not vouch for "
            f"({error.verify_message}). Give client() the tls_ca_file of the scheduler's own authority."
        ) from None
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        if "alert" in reason:
            raise ConnectionError(
                f"The scheduler at {where}, refuses the certificate {name_of(security.tls_client_cert)} ({reason}). "
                "Give client() a tls_client_cert that the scheduler's own authority has signed."
            ) from None
        raise ConnectionError(
            f"The scheduler at {where}, does not speak TLS ({reason}). Write its address with tcp://, or start it with "
            "--tls-ca-file, --tls-cert and --tls-key."
        ) from None
    except OSError:
        pass


def name_of(file):
    """The path of a certificate for a message; Security holds the text itself where it made the certificate."""
    return "in memory" if "\n" in file else file


def speaks_tls(address):
    """Does whoever listens at this address answer in TLS? Certificates are not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with connection(address) as plain, context.wrap_socket(plain):
            return True
    except OSError as error:
        return "ALERT" in (getattr(error, "reason", None) or "")


def connection(address):
    """A socket that is connected to this address."""
    from distributed.comm import get_address_host_port

    return socket.create_connection(get_address_host_port(address), timeout=patience())
