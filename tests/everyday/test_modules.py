"""Where tasks find the modules that the program finds; of one that nobody finds the error says where it was sought."""

from __future__ import annotations

import subprocess
import sys

import pytest

MAIN = """
    import freehold
    import helper

    class Local:
        number = 1

    @freehold.remote
    def f(number, local):
        import helper as again
        return helper.add(number) + again.K + local.number, __name__

    print(freehold.get(f.remote(1, Local())), freehold.get(freehold.remote(helper.add).remote(2)))
"""
HELPER = """
    K = 5

    def add(number):
        return number + 1
"""
PACKAGE = """
    import freehold
    from . import tools
    from .tools import K, remote_add

    @freehold.remote
    def f(number):
        from .tools import K as again
        return tools.add(number) + K + again

    if __name__ == "__main__":
        print(freehold.get(f.remote(1)), freehold.get(remote_add.remote(1)))
"""
TOOLS = """
    import freehold
    K = 5

    def add(number):
        return number + 1

    @freehold.remote
    def remote_add(number):
        return add(number) + K
"""


def test_a_module_beside_the_script(desk) -> None:
    desk.write(code__main=MAIN, code__helper=HELPER)
    assert desk.lines("code/main.py") == ["(8, '__main__') 3"]
    assert desk.lines(str(desk.folder / "code" / "main.py"), cwd="/") == ["(8, '__main__') 3"]


def test_a_program_from_the_command_line_and_from_a_pipe(desk) -> None:
    desk.write(helper=HELPER)
    text = "\n".join(line.removeprefix("    ") for line in MAIN.splitlines())
    assert desk.lines("-c", text) == ["(8, '__main__') 3"]
    assert desk.lines("-", stdin=text) == ["(8, '__main__') 3"]


def test_a_package(desk) -> None:
    desk.write(package____init__="", package____main__=PACKAGE, package__tools=TOOLS)
    assert desk.lines("-m", "package") == ["12 7"]
    desk.environment["PYTHONPATH"] = str(desk.folder)
    assert desk.lines("-m", "package", cwd="/") == ["12 7"]


def test_a_folder_and_an_archive(desk) -> None:
    desk.write(code____main__=MAIN, code__helper=HELPER)
    files = [str(desk.folder / "code" / name) for name in ("__main__.py", "helper.py")]
    subprocess.run([sys.executable, "-m", "zipfile", "-c", "code.zip", *files], cwd=desk.folder, check=True)
    assert desk.lines("code") == desk.lines("code.zip") == ["(8, '__main__') 3"]


def test_a_path_that_is_extended_while_the_cluster_runs(desk) -> None:
    """By a function, inside a task's body, inside an argument, and for a module that was sought before it was there."""
    desk.write(late__first=HELPER, late__second=HELPER, late__third="class C:\n    number = 3\n")
    assert desk.program("""
        import freehold, os, sys
        freehold.init(num_cpus=1)

        @freehold.remote
        def same(value):
            return value

        @freehold.remote
        def imports(name):
            return __import__(name).add(1)

        try:
            freehold.get(imports.remote("first"))
        except ModuleNotFoundError as error:
            print(error.name)
        sys.path.append(os.path.abspath("late"))
        import first, second, third
        print(freehold.get(freehold.remote(first.add).remote(1)), freehold.get(imports.remote("second")))
        print(freehold.get(same.remote(third.C())).number)
        with open("late/fourth.py", "w") as file:
            file.write("def add(number): return number + 4")
        print(freehold.get(imports.remote("fourth")))
    """) == ["first", "2 2", "3", "5"]


def test_the_folder_may_change(desk) -> None:
    desk.write(code__helper=HELPER, code__nothing="")
    assert desk.program("""
        import os, sys
        sys.path.insert(0, "code")
        import freehold, helper
        freehold.init(num_cpus=1)
        os.chdir("/")

        @freehold.remote
        def f():
            return helper.add(1)
        print(freehold.get(f.remote()))
    """) == ["2"]


@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local)], indirect=True)
def test_a_module_that_only_the_program_has(desk) -> None:
    """The error names the module, the process and the path, whichever way the module was wanted, either way."""
    lines = desk.program(
        """
        import freehold, os, sys, types

        def make(name):
            module = sys.modules[name] = types.ModuleType(name)
            exec("def f(): return 1\\nclass C: pass", vars(module))
            return module

        freehold.init(num_cpus=1)
        ghost = make("ghost")

        @freehold.remote
        def uses():
            return ghost.f()

        @freehold.remote
        def same(value):
            return value

        @freehold.remote
        def returns():
            import sys, types
            module = sys.modules["spirit"] = types.ModuleType("spirit")
            exec("class C: pass", vars(module))
            return module.C()

        for call in (uses.remote, freehold.remote(ghost.f).remote, lambda: same.remote(ghost.C()), returns.remote):
            try:
                freehold.get(call())
            except ModuleNotFoundError as error:
                print(error.name, str(error).splitlines()[0], isinstance(error, freehold.exceptions.TaskError))
    """.replace("import freehold, os", "import freehold, freehold.exceptions, os", 1)
    )
    assert len(lines) == 4
    for line, name, place in zip(lines, ["ghost"] * 3 + ["spirit"], [True] * 3 + [False], strict=True):
        assert line.startswith(f"{name} ") and f"No module named '{name}'; process " in line
        assert f", in {desk.folder}, looked in {desk.folder}, " in line
        assert line.endswith(str(place))


def test_a_module_that_is_nowhere(desk) -> None:
    desk.write(
        program="""
        import freehold
        freehold.init(num_cpus=1)

        @freehold.remote
        def f(name):
            try:
                __import__(name)
            except ImportError:
                return "absent"

        @freehold.remote
        def g():
            import no_such_module

        print(freehold.get([f.remote("no_such_module")] * 3))
        freehold.get(g.remote())
    """
    )
    done = desk.run("program.py")
    assert (done.returncode, done.stdout) == (1, "['absent', 'absent', 'absent']\n")
    assert "No module named 'no_such_module'; process " in done.stderr
    assert f"looked in {desk.folder}, " in done.stderr
