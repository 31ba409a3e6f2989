"""Forks and process pools of the program and of tasks, and programs that are tests themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.slow
local = pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local)], indirect=True)


@pytest.fixture
def short(desk) -> Iterator[None]:
    """Have multiprocessing put its sockets into a folder whose name is short, as they want it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        desk.environment["TMPDIR"] = folder
        yield


@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local), "inline"], indirect=True)
def test_pools_in_the_program(desk, short: None) -> None:
    """A fork has no part in the cluster and is told so; a fresh process may start one of its own."""
    desk.write(
        program="""
        import concurrent.futures, freehold, multiprocessing, os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork beside threads

        def square(number):
            return number**2

        def uses(number):
            import freehold
            try:
                return freehold.get(freehold.put(number))
            except Exception as error:
                return str(error).partition(";")[0]

        if __name__ == "__main__":
            freehold.init(num_cpus=1)
            ref = freehold.put(5)
            for method in ("fork", "spawn", "forkserver"):
                context = multiprocessing.get_context(method)
                with context.Pool(2) as pool:
                    print(method, pool.map(square, range(4)), pool.map(uses, [1]))
                process = context.Process(target=square, args=(1,))
                process.start()
                process.join()
                assert process.exitcode == 0
                with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                    assert list(pool.map(square, range(3))) == [0, 1, 4]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                assert list(pool.map(uses, range(5))) == list(range(5))
            child = os.fork()
            if not child:
                sys.exit(3)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), freehold.get(ref))
    """
    )
    done = desk.run("program.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "fork [0, 1, 4, 9] ['this process was forked from one that uses freehold']",
        "spawn [0, 1, 4, 9] [1]",
        "forkserver [0, 1, 4, 9] [1]",
        "3 5",
    ]


@local
def test_pools_in_tasks(desk, short: None) -> None:
    desk.write(tools="def square(number):\n    return number**2\n")
    assert desk.program("""
        import concurrent.futures, freehold, multiprocessing, os, sys, tools, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        freehold.init(num_cpus=1)  # without a guard: children do not run this file again

        @freehold.remote
        def work(method):
            context = multiprocessing.get_context(method)
            with context.Pool(2) as pool:
                found = pool.map(tools.square, range(3))
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                return found + list(pool.map(tools.square, range(3)))

        @freehold.remote
        def fork():
            child = os.fork()
            if not child:
                print("in the fork", flush=True)
                sys.exit(4)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        for method in ("fork", "spawn", "forkserver"):
            print(freehold.get(work.remote(method)))
        print(freehold.get(fork.remote()))
    """) == ["[0, 1, 4, 0, 1, 4]"] * 3 + ["in the fork", "4"]


SUITE = """
    import freehold, logging, pytest

    @pytest.fixture(scope="module", autouse=True)
    def cluster():
        with freehold.init(num_cpus=1):
            yield

    @freehold.remote
    def f(number):
        print("printing", number)
        logging.getLogger("mine").warning("logged")
        return number + 1

    @pytest.mark.parametrize("number", range(4))
    def test_values(number, capsys):
        assert freehold.get(f.remote(number)) == number + 1
        assert f"printing {number}" in capsys.readouterr().out

    def test_errors():
        @freehold.remote
        def fail():
            assert 1 == 2
        with pytest.raises(AssertionError, match="1 == 2"):
            freehold.get(fail.remote())

    def test_outcomes_of_pytest_in_a_task():
        @freehold.remote
        def skip():
            pytest.skip("not here")
        with pytest.raises(BaseException, match="not here"):
            freehold.get(skip.remote())

    def test_which_helpers_are_found():
        import helper
        assert freehold.get(freehold.remote(lambda: helper.K).remote()) == 5
"""


def test_a_suite_of_tests(desk) -> None:
    desk.write(test_one=SUITE, helper="K = 5")
    done = desk.run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0 and "7 passed" in done.stdout, done.stdout


@local
def test_suites_side_by_side(desk) -> None:
    desk.write(test_one=SUITE, test_two=SUITE, helper="K = 5")
    done = desk.run("-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider")
    assert done.returncode == 0 and "14 passed" in done.stdout, done.stdout
