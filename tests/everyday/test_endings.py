"""However a task or a program ends: a clear error, no hang, and nothing left."""

from __future__ import annotations

import pytest

TASKS = """
    import atexit, freehold, freehold.exceptions, os, signal, sys, threading, time
    freehold.init(num_cpus=2)

    def told(function):
        try:
            print(function.__name__, freehold.get(freehold.remote(max_retries=0)(function).remote(), timeout=50))
        except BaseException as error:
            print(function.__name__, type(error).__name__, str(error).splitlines()[0])
"""


def test_exceptions_of_tasks(desk) -> None:
    lines = desk.program(
        TASKS
        + """
    class Odd(Exception):
        def __init__(self, first, second):
            super().__init__(first)
            self.unpicklable = threading.Lock()
        def __str__(self):
            return "odd one"

    class NoText(Exception):
        def __str__(self):
            raise ValueError

    class Base(BaseException):
        pass

    def odd(): raise Odd(1, 2)
    def no_text(): raise NoText
    def base(): raise Base("not an Exception")
    def generator(): raise GeneratorExit("at its end")
    def deep(): return deep()
    def group(): raise ExceptionGroup("two", [ValueError(1), KeyError(2)])
    def stop(): raise StopIteration(3)
    def memory(): return bytes(10**15)
    def lock(): return threading.Lock()
    def named(): return undefined_name
    def leaves(): sys.exit(3)
    def leaves_at_once(): raise SystemExit
    def goes_on(): return "went on"

    for function in (odd, no_text, base, generator, deep, group, stop, memory, lock, named, leaves, leaves_at_once,
                     goes_on):
        told(function)
    """
    )
    assert lines[:9] == [
        "odd TaskError(Odd) odd raised Odd: odd one",
        "no_text TaskError no_text raised NoText: <exception str() failed>",
        "base TaskError base raised Base: not an Exception",
        "generator TaskError generator raised GeneratorExit: at its end",
        "deep TaskError(RecursionError) deep raised RecursionError: maximum recursion depth exceeded",
        "group TaskError(ExceptionGroup) group raised ExceptionGroup: two (2 sub-exceptions)",
        "stop TaskError(StopIteration) stop raised StopIteration: 3",
        "memory TaskError memory raised MemoryError: ",
        "lock TaskError(TypeError) lock raised TypeError: cannot pickle value: root is a _thread.lock",
    ]
    assert lines[9] == "named TaskError(NameError) named raised NameError: name 'undefined_name' is not defined"
    for line, name in zip(lines[10:12], ("leaves", "leaves_at_once"), strict=True):
        assert line.startswith(f"{name} WorkerCrashedError the worker n0w")
    assert lines[12:] == ["goes_on went on"]


@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local)], indirect=True)
def test_tasks_that_end_their_process(desk) -> None:
    lines = desk.program(
        TASKS
        + """
    def leaves(): os._exit(5)
    def aborts(): os.abort()
    def is_killed(): os.kill(os.getpid(), signal.SIGKILL)
    def is_terminated(): os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)
    def is_interrupted(): os.kill(os.getpid(), signal.SIGINT); time.sleep(60)
    def interrupts(): raise KeyboardInterrupt
    def thread_exits():
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()
        return "went on"

    for function in (leaves, aborts, is_killed, is_terminated, is_interrupted, interrupts, thread_exits):
        told(function)
    """
    )
    assert [line.split()[1] for line in lines] == ["WorkerCrashedError"] * 4 + ["TaskCancelledError"] * 2 + ["went"]


ENDS = {  # the last lines of a program -> its exit status, the rest of its output
    "sys.exit(3)": (3, ""),
    "raise ValueError('a bug')": (1, ""),
    "atexit.register(lambda: print(freehold.get(freehold.put(3))))": (0, "3\n"),
    "threading.Thread(target=lambda: (time.sleep(0.3), print(freehold.get(freehold.put(4))))).start()": (0, "4\n"),
    "atexit._run_exitfuncs(); print(freehold.is_initialized()); freehold.put(1)": (0, "False\n"),
    "freehold.shutdown(); print(freehold.get(freehold.put(5)))": (0, "5\n"),
    "os.kill(os.getpid(), signal.SIGTERM)": (-15, ""),
    "os.kill(os.getpid(), signal.SIGINT)": (-2, ""),
    "os._exit(7)": (7, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local), "inline"], indirect=True)
def test_programs(desk, end: str) -> None:
    """With tasks that run, tasks that wait, values in the store and a view of one."""
    desk.write(
        program=TASKS
        + f"""
    @freehold.remote
    def nap(seconds): time.sleep(seconds)

    naps = [nap.remote(600) for _ in range(4)]
    kept = freehold.put(bytes(1_000_000))
    view = freehold.get(kept)
    print("ready", flush=True)
    {end}
    """
    )
    done = desk.run("program.py")
    code, output = ENDS[end]
    assert (done.returncode, done.stdout) == (code, f"ready\n{output}"), done.stderr
    assert done.stderr.count("Traceback") == (1 if "ValueError" in end or "SIGINT" in end else 0), done.stderr


def test_one_cluster_after_the_other(desk) -> None:
    assert desk.program("""
    import freehold, gc, os, threading

    @freehold.remote
    def same(value):
        return value

    counts = set()
    for number in range(5):
        with freehold.init(num_cpus=1):
            assert freehold.get(same.remote(number)) == number
        gc.collect()
        counts.add((len(os.listdir("/proc/self/fd")), threading.active_count()))
    print(len(counts))
    """) == ["1"]


@pytest.mark.parametrize(
    "call", ["get(nap.remote(0))", "get(nap.remote(600))", "put(bytes(1_000_000))", "wait([naps])"]
)
@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local)], indirect=True)
def test_daemon_threads_end_without_a_word(desk, call: str) -> None:
    """As they do at any lock: the interpreter does not wait for them, and they raise nothing while it ends."""
    desk.write(
        program=TASKS
        + f"""
    @freehold.remote
    def nap(seconds): time.sleep(seconds)

    begun, naps = threading.Semaphore(0), nap.remote(600)

    def forever():
        while True:
            begun.release()
            freehold.{call}

    for _ in range(3):
        threading.Thread(target=forever, daemon=True).start()
    for _ in range(3):
        begun.acquire()
    """
    )
    for _ in range(3):
        done = desk.run("program.py")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
