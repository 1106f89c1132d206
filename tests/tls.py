"""Authorities and certificates for TLS, made for one run."""


def authority(folder):
    """Make an authority and one certificate for everybody in a new folder; returns the three paths, by dask's names."""
    import trustme

    folder.mkdir()
    own = trustme.CA()
    certificate = own.issue_cert("glmlab.test")  # dask looks at the authority, not at names
    paths = {name: folder / f"{name}.pem" for name in ("ca-file", "cert", "key")}
    own.cert_pem.write_to_path(paths["ca-file"])
    certificate.private_key_pem.write_to_path(paths["key"])
    certificate.cert_chain_pems[0].write_to_path(paths["cert"])
    return paths


def options(paths):
    """The certificates as options of `dask scheduler` and `dask worker`."""
    return [word for name, path in paths.items() for word in (f"--tls-{name}", path)]


def variables(paths):
    """The certificates of a client as environment variables, which dask's configuration reads."""
    start = "DASK_DISTRIBUTED__COMM__TLS__"
    return {f"{start}CA_FILE": str(paths["ca-file"]), f"{start}CLIENT__CERT": str(paths["cert"]),
            f"{start}CLIENT__KEY": str(paths["key"])}  # fmt: skip


def security(paths):
    """The certificates of a client as `cluster.client` takes them."""
    return {"tls_ca_file": str(paths["ca-file"]), "tls_client_cert": str(paths["cert"]),
            "tls_client_key": str(paths["key"])}  # fmt: skip
