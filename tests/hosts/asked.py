"""What the client's host asks of the cluster. Run as a program: the name of a function here, then arguments in JSON.

It prints one line of JSON. The same functions run in the tests' own process, on threads, for comparison.
"""

import json
import sys
from contextlib import contextmanager

import numpy as np

from glmlab import L1, ElasticNet, Ridge, certify, datasets, fit, path
from glmlab.machine import cluster

CASES = {
    "newton": ("logistic", Ridge(1.0)),
    "pilot_newton": ("logistic", L1(3.0)),
    "proximal_newton": ("poisson", ElasticNet(3.0, 0.5)),
    "fista": ("gaussian", L1(3.0)),
    "lbfgs": ("poisson", Ridge(1.0)),
    "consensus_admm": ("logistic", L1(3.0)),
    "gradient_descent": ("gaussian", Ridge(1.0)),
}
MAKE = {"logistic": datasets.make_logistic, "poisson": datasets.make_poisson, "gaussian": datasets.make_regression}


def rows(family):
    """Rows that a worker makes: 8 chunks, so that the tree of sums has two levels."""
    return MAKE[family](3_200, 5, seed=1, chunks=400)[:2]


def bits(result):
    return [result.beta.tobytes().hex(), float(result.objective).hex(), result.passes, bool(result.converged)]


def answers():
    """The bits of every solver's fit, of a path and of a certificate."""
    found = {}
    for solver, (family, penalty) in CASES.items():
        found[solver] = bits(fit(*rows(family), family=family, penalty=penalty, solver=solver, tol=1e-4))
    lasso = path(*rows("logistic"), family="logistic", n_lams=4, tol=1e-4)
    proof = certify(*rows("gaussian"), np.full(5, 0.1), family="gaussian", penalty=Ridge(1.0))
    found["path"] = [bits(each) for each in lasso]
    return found | {"certify": [float(proof.objective).hex(), float(proof.bound).hex()]}


@contextmanager
def connected(options):
    with cluster.client(**options) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def answers_there(options):
    """`answers` of the cluster, and where it is."""
    with connected(options) as client:
        found = answers()
        return {"answers": found, "workers": sorted(client.nthreads()), "scheduler": client.scheduler.address}


def workers(options):
    """The addresses of the workers."""
    with connected(options) as client:
        return sorted(client.nthreads())


def threads(options):
    """[threads of each pool of BLAS or OpenMP and of numba, seen from a task] of each worker, in order of addresses."""

    def counts():
        import numba
        import scipy.linalg
        from threadpoolctl import threadpool_info

        scipy.linalg.norm(np.ones(3))
        return [pool["num_threads"] for pool in threadpool_info()] + [numba.get_num_threads()]

    with connected(options) as client:
        workers = sorted(client.nthreads())
        return client.gather([client.submit(counts, workers=[each], pure=False) for each in workers])


def refusals(*several):
    """[[error, what it says]] of `cluster.client` with each of several options; null where it connects."""
    found = []
    for options in several:
        try:
            cluster.client(**options).close()
            found.append(None)
        except (OSError, ValueError) as error:
            found.append([type(error).__name__, str(error)])
    return found


def reads(*links):
    """[the status of a page, or the name of the error] for each link."""
    from urllib.request import urlopen

    found = []
    for link in links:
        try:
            found.append(urlopen(link, timeout=5).status)
        except OSError as error:
            found.append(type(error).__name__)
    return found


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*map(json.loads, sys.argv[2:]))))
