"""Processes in which contenders fit, so that one can be stopped or fail alone."""

import multiprocessing
import os
import resource
import signal
from contextlib import suppress
from importlib import import_module

from sklearn.datasets import load_iris

_SPAWN = multiprocessing.get_context("spawn")  # thread pools do not survive a fork
_STARTUP = 600  # seconds for imports and data


class FitFailed(Exception):
    """A fit that raised, or was stopped."""


class Worker:
    """A process that fits one contender on one problem's data, both known by name.

    It is killed, with all that it has started, when a fit takes longer than `limit` seconds,
    and replaced when the next fit is asked for. May not use more memory than there is. The lists
    `CONTENDERS` and `PROBLEMS` are those of the modules named.
    """

    def __init__(self, contender, problem, limit, modules=("contenders", "problems")):
        self._names, self._limit = (contender.name, problem.name, *modules), limit
        self._process = None

    def fit(self, setting, threads):
        """The `Fit` of a setting at 1 or None, that is all, threads; or `FitFailed`."""
        if self._process is None:
            self.start()
        self._pipe.send((setting, threads))
        return self._answer(self._limit)

    def close(self):
        """Kill the process and its children."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # it may have died
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.join()
            self._process = None

    def start(self):
        """Start the process and wait until it has loaded the data."""
        self._pipe, there = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(there, *self._names), daemon=True)
        self._process.start()
        there.close()
        self._answer(_STARTUP)

    def _answer(self, limit):
        try:
            if not self._pipe.poll(limit):
                raise FitFailed(f"stopped after {limit:g} s")
            answer = self._pipe.recv()
        except (FitFailed, EOFError) as error:
            self.close()
            raise FitFailed(str(error) or "its process died") from None
        if isinstance(answer, FitFailed):
            raise answer
        return answer


def _serve(pipe, contender_name, problem_name, contenders, problems):
    """Warm up, then answer requests for fits."""
    os.setpgrp()  # so that programs started from here can be killed with it
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    contenders, problems = import_module(contenders).CONTENDERS, import_module(problems).PROBLEMS
    contender = next(c for c in contenders if c.name == contender_name)
    problem = next(p for p in problems if p.name == problem_name)
    X, y = problem.load()
    contender.fit(*load_iris(return_X_y=True), problem.C, None)  # imports, thread pools
    pipe.send("ready")
    while True:
        setting, threads = pipe.recv()
        try:
            with contender.limit_threads(threads):
                answer = contender.fit(X, y, problem.C, setting)
        except Exception as error:
            answer = FitFailed(_last_line(error))
        pipe.send(answer)


def _last_line(error):
    """What an exception, or the program that raised it, said last."""
    said = (getattr(error, "stderr", None) or str(error)).strip()
    return f"{type(error).__name__}: {said.splitlines()[-1] if said else ''}"
