"""What tasks print and log: whole lines with a prefix on real processes, plain elsewhere."""

from __future__ import annotations

import re

import pytest

local = pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local)], indirect=True)
PREFIX = re.compile(r"\((?P<name>.+?) pid=\d+, node=0\) ")


def parted(text: str) -> list[tuple[str, str]]:
    """Return (name, line) of each line, the name "" without a prefix."""
    found = []
    for line in text.split("\n")[:-1]:
        prefix = PREFIX.match(line)
        found.append((prefix["name"], line[prefix.end() :]) if prefix else ("", line))
    return found


KINDS = """
    import freehold, sys, warnings
    freehold.init(num_cpus=1)

    @freehold.remote
    def talk():
        print("one", 2, "three")
        print("up\\nand", "down")
        print("for errors", file=sys.stderr)
        sys.stdout.buffer.write("b\u00e4r\\n".encode())
        sys.stdout.reconfigure(line_buffering=True)
        sys.stdout.flush()
        print("no end", end="")

    @freehold.remote(name="a name")
    def named():
        print("named")

    freehold.get(talk.remote())
    print()
    freehold.get(named.remote())
"""


def test_prints(desk) -> None:
    desk.write(program=KINDS)
    done = desk.run("program.py")
    talk, named = ("talk", "a name") if desk.backend == "local" else ("", "")
    said = [(talk, line) for line in ("one 2 three", "up", "and down", "bär", "no end")]
    assert parted(done.stdout) == [*said, *([("", "")] if talk else []), (named, "named")]
    assert parted(done.stderr) == [(talk, "for errors")]


@local
def test_lines_that_are_long_go_back_or_come_from_threads(desk) -> None:
    desk.write(
        program="""
        import freehold, threading
        freehold.init(num_cpus=1)

        @freehold.remote
        def long():
            print("x" * 3_000_000)

        @freehold.remote
        def bar():
            for percent in range(100):
                print(f"\\r{percent} %", end="")
            print()
            for percent in range(100):
                print(f"{percent} %", end="\\r")
            print("done\\r")

        @freehold.remote
        def threads():
            def count(name):
                for number in range(100):
                    print(name, number, sep="-", end="!")
                    print(flush=True)
                print("half of", name, end="")
            all = [threading.Thread(target=count, args=[name]) for name in "abcd"]
            for thread in all: thread.start()
            for thread in all: thread.join()

        for task in (long, bar, threads):
            freehold.get(task.remote())
    """
    )
    done = desk.run("program.py")
    assert (done.returncode, done.stderr) == (0, "")
    found = parted(done.stdout)
    longs = [line for name, line in found if name == "long"]
    assert "".join(longs) == "x" * 3_000_000 and max(map(len, longs)) == 2**20
    assert [line for name, line in found if name == "bar"] == ["99 %", "done"]
    lines = [line for name, line in found if name == "threads"]
    for thread in "abcd":
        mine = [line for line in lines if line.startswith(thread)]
        assert mine == [f"{thread}-{number}!" for number in range(100)]
    assert sorted(lines)[-4:] == [f"half of {thread}" for thread in "abcd"]
    assert len(lines) == 404


@local
def test_what_is_printed_before_the_end_of_a_worker(desk) -> None:
    desk.write(
        program="""
        import freehold, freehold.exceptions, os, sys
        freehold.init(num_cpus=1)

        @freehold.remote(max_retries=0)
        def leave(how):
            print("before", end=" ")
            print("the end")
            print("and no end", end="")
            how(0)

        for how in (os._exit, sys.exit):
            try:
                freehold.get(leave.remote(how))
            except freehold.exceptions.WorkerCrashedError as error:
                print("crashed")
    """
    )
    done = desk.run("program.py")
    assert (done.returncode, done.stderr) == (0, "")
    end = [("leave", "before the end"), ("leave", "and no end"), ("", "crashed")]
    assert parted(done.stdout) == end * 2


ENDS = """
    import ctypes, os, signal, sys
    import freehold
    from freehold.exceptions import WorkerCrashedError

    freehold.init(num_cpus=1, num_nodes=2, log_to_driver=sys.argv[1] == "shown")

    def last_words(how, node=0):
        for number in range(100):
            print("line", number, file=sys.stderr)
        how()

    def leave():
        os._exit(3)

    def crash():
        ctypes.string_at(0)

    def kill():
        os.kill(os.getpid(), signal.SIGKILL)

    @freehold.remote(max_retries=0)
    def die(how):
        last_words(how)

    @freehold.remote
    def ask(how):
        freehold.get(die.remote(how))

    for task in (die, die.options(node=1), ask):
        for how in (leave, crash, kill):
            try:
                freehold.get(task.remote(how))
            except WorkerCrashedError as error:
                print("CAUGHT", error)
"""


@local
@pytest.mark.parametrize("output", ["shown", "silent"])
def test_the_last_lines_of_a_worker_are_in_the_error(desk, output: str) -> None:
    """Wherever it ran and whoever asks; and if the interpreter crashed, on which line of the program."""
    desk.write(program=ENDS)
    done = desk.run("program.py", output)
    assert done.returncode == 0
    caught = done.stdout.split("CAUGHT ")[1:]
    assert len(caught) == 9
    where = 'program.py", line 17 in crash'
    for error, ended in zip(
        caught, ["it exited with status 3", "(SIGSEGV) ended it", "(SIGKILL) ended it"] * 3, strict=True
    ):
        assert ended in error
        assert "line 99" in error and "line 0\n" not in error
        assert (where in error) is ("SIGSEGV" in ended)
        assert "backends/local" not in error


def test_a_traceback_from_a_task_shows_the_programs_lines(desk) -> None:
    desk.write(
        program="""
        import freehold

        @freehold.remote
        def divide(number):
            return 1 / number  # by what is given

        try:
            freehold.get(divide.remote(0))
        except ZeroDivisionError as error:
            print(error)
        """
    )
    done = desk.run("program.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert 'program.py", line 6, in divide' in done.stdout
    if desk.backend == "local":
        assert "return 1 / number  # by what is given" in done.stdout


@local
def test_a_thread_that_a_task_has_left_prints_whole_lines(desk) -> None:
    desk.write(
        program="""
        import freehold, threading, time
        freehold.init(num_cpus=1)

        @freehold.remote
        def leave():
            def speak():
                while True:
                    print("tick", "tock")
                    time.sleep(0.001)
            threading.Thread(target=speak).start()

        @freehold.remote
        def same(value):
            return value

        freehold.get(leave.remote())
        assert freehold.get([same.remote(n) for n in range(500)]) == list(range(500))
    """
    )
    done = desk.run("program.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert {line for _, line in parted(done.stdout)} == {"tick tock"}


def test_logging_is_configured_as_in_the_program(desk) -> None:
    desk.write(
        program="""
        import freehold, logging
        logging.basicConfig(level=logging.INFO, format="%(levelname)s/%(name)s/%(message)s")
        logging.getLogger("quiet").setLevel(logging.ERROR)
        freehold.init(num_cpus=1)

        @freehold.remote
        def log():
            for name in ("mine", "quiet"):
                logging.getLogger(name).debug("debug")
                logging.getLogger(name).info("info")
                logging.getLogger(name).warning("warning")
                logging.getLogger(name).error("error")

        freehold.get(log.remote())
    """
    )
    done = desk.run("program.py")
    name = "log" if desk.backend == "local" else ""
    lines = ["INFO/mine/info", "WARNING/mine/warning", "ERROR/mine/error", "ERROR/quiet/error"]
    assert (done.returncode, done.stdout) == (0, "")
    assert parted(done.stderr) == [(name, line) for line in lines]


def test_logging_that_nobody_has_configured(desk) -> None:
    """As in any Python: warnings and what is worse, without a form; a task may configure it for its process."""
    desk.write(
        program="""
        import freehold, logging
        freehold.init(num_cpus=1)

        @freehold.remote
        def log(): logging.getLogger("mine").info("info"); logging.getLogger("mine").warning("warning")

        @freehold.remote
        def configure(): logging.basicConfig(level=logging.INFO, format="T %(message)s")

        for task in (log, configure, log):
            freehold.get(task.remote())
    """
    )
    done = desk.run("program.py")
    assert [line for _, line in parted(done.stderr)] == ["warning", "T info", "T warning"]


@local
def test_silence(desk) -> None:
    assert desk.program("""
        import freehold, os, sys
        freehold.init(num_cpus=1, log_to_driver=False)

        @freehold.remote
        def talk():
            print("out"); print("err", file=sys.stderr)
            os.write(1, b"beneath\\n"); os.write(2, b"beneath\\n")
            return os.system("echo child")

        print(freehold.get(talk.remote()))
    """) == ["0"]


@local
def test_beneath_python(desk) -> None:
    """What C code and children write goes to the program's own descriptors, at once and without a prefix."""
    desk.write(
        program="""
        import freehold, os
        freehold.init(num_cpus=1)

        @freehold.remote
        def talk():
            os.write(1, b"beneath\\n"); os.write(2, b"for errors\\n")
            return os.system("echo child")

        print(freehold.get(talk.remote()))
    """
    )
    done = desk.run("program.py")
    assert (done.stdout, done.stderr) == ("beneath\nchild\n0\n", "for errors\n")
