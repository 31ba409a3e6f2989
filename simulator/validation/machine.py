"""What this machine takes by itself, without any cluster: to carry bytes from one process to another, and to wake up.

Both are measured between two processes that have a processor each, as the nodes of the workloads do.  And what it
takes to write into shared memory for the first time, which a store does once for each of its bytes.
"""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
import time

from freehold.simulator.validation.measuring import processors, quantile

NBYTES = 16 * 2**20
TRANSFERS, PINGS, TOUCHES = 30, 200, 9
IDLE = 0.0005  # seconds between two pings: both ends sleep by then
TENTH, MIDDLE = 0.532, 1.678  # the quantiles 0.1 and 0.5 of the sum of two exponential times, in their mean
ANSWER = f"""
import os, socket, sys
os.sched_setaffinity(0, {{int(sys.argv[2])}})
here = socket.socket(fileno=int(sys.argv[1]))
data, words = bytes({NBYTES}), dict(d=0, s=0, a=socket.MSG_DONTWAIT)
flags = 0
while True:
    try:
        word = here.recv(1, flags).decode()
    except BlockingIOError:
        continue
    if not word:
        break
    here.sendall(data if word == "d" else word.encode())
    flags = words[word]
"""


def first_touch() -> float:
    """Return seconds for each byte that is written to shared memory for the first time, beyond those for the next."""
    return quantile([touched() for _ in range(TOUCHES)], 0.5)


def touched() -> float:
    """Return the same, once."""
    data = bytes(NBYTES)
    with mmap.mmap(-1, NBYTES) as room:
        times = [time.perf_counter()]
        for _ in range(2):
            room[:] = data
            times.append(time.perf_counter())
    first, later = times[1] - times[0], times[2] - times[1]
    return max(0.0, first - later) / NBYTES


def between_processes() -> tuple[float, float, float]:
    """Return bytes a second through a socket, and seconds until a process that sleeps runs: at the least, and beside.

    What comes beside is taken for exponential, with this mean: a ping wakes two, one after the other.
    """
    before = os.sched_getaffinity(0)
    here, there = socket.socketpair()
    first, other = processors()[0], processors()[-1]
    command = [sys.executable, "-c", ANSWER, str(there.fileno()), str(other)]
    with here, subprocess.Popen(command, pass_fds=[there.fileno()]) as process:
        there.close()
        os.sched_setaffinity(0, {first})
        try:
            room = memoryview(bytearray(NBYTES))
            rate = NBYTES / quantile([transfer(here, room) for _ in range(TRANSFERS)], 0.5)
            asleep, awake = ([ping(here, word) for _ in range(PINGS)] for word in (b"s", b"a"))
        finally:
            os.sched_setaffinity(0, before)
            here.close()
            process.wait()
    middle = quantile(asleep, 0.5)
    linger = (middle - quantile(asleep, 0.1)) / (MIDDLE - TENTH)
    return rate, max(0.0, middle - quantile(awake, 0.5) - MIDDLE * linger) / 2, linger


def transfer(here: socket.socket, room: memoryview) -> float:
    """Return how long many bytes take."""
    began = time.perf_counter()
    here.sendall(b"d")
    came = 0
    while came < NBYTES:
        came += here.recv_into(room[came:])
    return time.perf_counter() - began


def ping(here: socket.socket, word: bytes) -> float:
    """Return how long a byte takes there and back if both ends sleep (b"s"), or stay awake from the second time on."""
    time.sleep(IDLE)
    flags = socket.MSG_DONTWAIT if word == b"a" else 0
    began = time.perf_counter()
    here.sendall(word)
    while True:
        try:
            here.recv(1, flags)
        except BlockingIOError:
            continue
        return time.perf_counter() - began
