"""A notebook as its reader sees it: what tasks print, bars, references as tables, errors that show the cell's lines.

``FREEHOLD_NOTEBOOK=book.ipynb pytest tests/everyday/test_notebook.py`` keeps the executed notebook, to be looked at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.local]

CELLS = {
    "start": "import time\nimport freehold\n\nfreehold.init(num_cpus=2)",
    "print": """@freehold.remote
def square(x):
    print("squaring", x)
    return x * x

freehold.get([square.remote(x) for x in range(3)])""",
    "bar": """@freehold.remote
def rest(x):
    time.sleep(0.3)
    return x

freehold.get([rest.remote(x) for x in range(4)], progress=True)""",
    "reference": "ref = square.remote(12)\nfreehold.wait([ref])\nref",
    "value": "await ref",
    "explain": "print(freehold.explain(ref))",
    "error": """@freehold.remote
def divide(x):
    return 1 / x  # by what is given

freehold.get(divide.remote(0))""",
    "interrupted": "freehold.get(rest.remote('still here'))",
    "end": "freehold.shutdown()",
}
RUN = """
    import json, sys
    import nbclient, nbformat

    cells = [nbformat.v4.new_code_cell(cell) for cell in json.load(sys.stdin)]
    book = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3", allow_errors=True).execute()
    nbformat.write(book, "book.ipynb")
"""


def text_of(outputs: list[Any], kind: str = "text/plain") -> str:
    """Return what the outputs of a cell say, HTML without its tags."""
    said = [out["text"] if out["output_type"] == "stream" else out.get("data", {}).get(kind, "") for out in outputs]
    return re.sub(r"<[^>]*>", " ", "".join("".join(part) for part in said))


@pytest.mark.parametrize("backend", ["local"])
def test_a_notebook_as_its_reader_sees_it(desk) -> None:
    desk.write(run=RUN)
    desk.environment.update(IPYTHONDIR=str(desk.folder), PYTHONWARNINGS="ignore")
    done = desk.run("run.py", stdin=json.dumps(list(CELLS.values())))
    assert done.returncode == 0, done.stderr
    if kept := os.environ.get("FREEHOLD_NOTEBOOK"):
        shutil.copy(desk.folder / "book.ipynb", kept)
    book = json.loads((desk.folder / "book.ipynb").read_text())
    outputs = dict(zip(CELLS, [cell["outputs"] for cell in book["cells"]], strict=True))

    printed = [out["text"] for out in outputs["print"] if out["output_type"] == "stream"]
    lines = "".join("".join(text) for text in printed).splitlines()
    assert sorted(line.rpartition(") ")[2] for line in lines) == [f"squaring {x}" for x in range(3)]
    assert all(line.startswith("(square pid=") for line in lines)
    assert text_of(outputs["print"]).endswith("[0, 1, 4]")

    bar, value = outputs["bar"]
    assert re.search(r"get.*4/4.*/s", text_of([bar], "text/html")), bar
    assert text_of([value]) == "[0, 1, 2, 3]"

    table = text_of(outputs["reference"], "text/html")
    for words in ("square", "in-process store", "n0w1", "In[4]:1"):
        assert words in table, table
    assert text_of(outputs["value"]) == "144"
    assert "why it is alive" in text_of(outputs["explain"])

    (error,) = outputs["error"]
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))
    assert error["ename"] == "TaskError(ZeroDivisionError)"
    assert re.search(r'in task divide:\n.*\n  File ".*", line 3, in divide', traceback), traceback
    assert text_of(outputs["interrupted"]) == "'still here'"
    assert outputs["end"] == []
