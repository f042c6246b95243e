"""Where partitions are checked and rows are kept: the workers of a client, or this process."""

import pickle
import weakref
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import dask
import numpy as np
from distributed import CancelledError, KilledWorker

from sk_softmax._rows import ConcatenatedRows, DistributedRows
from sk_softmax._shares import Share

# Bytes up to which small partitions are joined. Larger ones are kept as they are.
_JOINED_BYTES = 2**26
# How much more than its share of all rows a worker may keep.
_IMBALANCE = 1.1
# Bytes of a question to all from which on workers hand it to each other.
_LARGE_QUESTION = 2**20


class Here:
    """This process, where there is no cluster."""

    def compute(self, tasks):
        """The results of delayed tasks."""
        return list(dask.compute(*tasks))

    def map(self, function, *values):
        """What a function makes of each of some values, to be asked of `gather`."""
        return list(map(function, *values))

    def gather(self, values):
        """The values themselves."""
        return values

    def rows(self, partitions, sizes, join, n_jobs, threads):
        """The `Rows` that ``join(partitions)`` makes of so many bytes of partitions."""
        groups = grouped(range(len(partitions)), sizes)
        return ConcatenatedRows([join([partitions[i] for i in group])(threads) for group in groups])


class Cluster:
    """The workers of a `distributed.Client`, with the methods of `Here`.

    Parameters
    ----------
    client : distributed.Client
    memory_share : float
        Share of a worker's memory that its rows may take to be asked by one task. Dask moves what
        exceeds 60% to disk, from where a task for each part brings it back.
    joined_bytes : int
        As for `grouped`.
    """

    def __init__(self, client, *, memory_share=0.5, joined_bytes=_JOINED_BYTES):
        if client.asynchronous:
            raise ValueError(
                "client is asynchronous; fit needs a client without asynchronous=True."
            )
        self._client, self._memory_share, self._joined_bytes = client, memory_share, joined_bytes

    def compute(self, tasks):
        """Futures of the results of delayed tasks."""
        return self._client.compute(tasks)

    def map(self, function, *values, key=None):
        """Futures of what a function makes of each of some futures, perhaps by given keys."""
        return self._client.map(function, *values, key=key, pure=False)

    def broadcast(self, value):
        """A future of a value, which all workers have."""
        return self._client.scatter(value, broadcast=True, hash=False)

    def gather(self, futures):
        """What futures stand for."""
        with _explained():
            return self._client.gather(futures)

    def rows(self, partitions, sizes, join, n_jobs, threads):
        """As `Here.rows`, by threads of the workers; empties the list of partitions."""
        with _explained():
            workers = self._client.run(_resources)
            homes = self._client.who_has(partitions)
        homes = [homes.get(future.key, ()) for future in partitions]
        n_threads = {address: worker[0] for address, worker in workers.items()}
        shares, addresses = [], []
        for address, members in assigned(sizes, homes, n_threads).items():
            cores, memory = workers[address]
            submit = partial(
                self._client.submit, workers=[address], allow_other_workers=True, pure=False
            )
            groups = [
                submit(join, [partitions[i] for i in group])
                for group in grouped(members, sizes, self._joined_bytes)
            ]
            if sum(sizes[i] for i in members) <= self._memory_share * memory:
                found = [submit(Share, groups, n_jobs, cores)]
            else:
                found = [submit(Share, [group], n_jobs, 1) for group in groups]
            shares += found
            addresses += [address] * len(found)
        partitions.clear()  # workers let go of them as soon as they are joined
        return DistributedRows(Shares(self, shares, addresses))


class Shares:
    """Futures of a `Share` each, and the addresses of the workers that have them."""

    def __init__(self, cluster, futures, addresses):
        self._cluster, self._futures, self._addresses = cluster, futures, addresses
        # Graphs of questions refer to the futures, too, and may wait for the garbage collector.
        weakref.finalize(self, _release, futures).atexit = False

    def __len__(self):
        return len(self._futures)

    def map(self, question):
        """The answers of all shares, in order; one task for each, where the share is."""
        # In one graph the question travels to the scheduler once.
        if len(pickle.dumps(question)) * len(self) > _LARGE_QUESTION:
            question = self._cluster.broadcast(question)
        questions, name = [question] * len(self), f"ask-{uuid4().hex}"
        homes = {f"{name}-{i}": [address] for i, address in enumerate(self._addresses)}
        # Another worker may only take over if this one is lost.
        with dask.annotate(workers=homes.get, allow_other_workers=True):
            answers = self._cluster.map(_answer, questions, self._futures, key=list(homes))
        return self._cluster.gather(answers)


def assigned(sizes, homes, n_threads):
    """Which worker keeps which partitions: a dict from addresses to lists of numbers.

    Each keeps what it has (`homes`, for each partition the addresses that have it), up to its share
    by threads of all bytes; the rest goes to those that have least.
    """
    load, kept = dict.fromkeys(n_threads, 0.0), {address: [] for address in n_threads}
    allowed = _IMBALANCE * sum(sizes) / sum(n_threads.values())
    homeless = []
    for i, size in enumerate(sizes):
        known = [home for home in homes[i] if home in load]
        home = min(known, key=load.get, default=None)
        after = np.inf if home is None else load[home] + size / n_threads[home]
        if after <= allowed:
            load[home] = after
            kept[home].append(i)
        else:
            homeless.append(i)
    for i in sorted(homeless, key=lambda i: -sizes[i]):
        home = min(load, key=lambda a: (load[a] + sizes[i] / n_threads[a], a not in homes[i]))
        load[home] += sizes[i] / n_threads[home]
        kept[home].append(i)
    return {address: sorted(members) for address, members in kept.items() if members}


def grouped(members, sizes, joined_bytes=_JOINED_BYTES):
    """Lists of members to be joined, one after the other, each of about so many bytes or less."""
    groups, total = [], np.inf
    for i in members:
        if total + sizes[i] > joined_bytes:
            groups.append([])
            total = 0
        groups[-1].append(i)
        total += sizes[i]
    return groups


def _release(futures):
    """Have workers let go of what futures stand for."""
    for future in futures:
        future.release()


def _answer(question, share):
    """Call a function of the share alone, as a task."""
    return question(share)


def _resources(dask_worker):
    """Threads and bytes of memory of a worker."""
    return dask_worker.state.nthreads, dask_worker.memory_manager.memory_limit or np.inf


@contextmanager
def _explained():
    """Say what errors of the cluster mean for a fit."""
    try:
        yield
    except (KilledWorker, CancelledError, OSError) as error:
        raise RuntimeError(
            f"The cluster lost rows of the fit, or the connection to it: {error}. If workers were "
            "killed for the memory that they took, take more of them or smaller partitions."
        ) from error
