"""`del ref` in a notebook frees nothing: Out, _ and the traceback of the last error keep it (ipython#11204)."""

from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import freehold

config = Config({"HistoryManager": {"enabled": False}})
shell: Any = InteractiveShell.instance(colors="nocolor", config=config)
shell._showtraceback = shell.displayhook.write_format_data = lambda *args: None
shell.displayhook.write_output_prompt = shell.displayhook.finish_displayhook = lambda: None
freehold.init(num_cpus=1)


def cell(text):
    """Run a cell as a notebook does."""
    return shell.run_cell(text, store_history=True)


cell("import freehold, sys\ndef fail(rows): raise KeyError(rows.hex())").raise_error()
cell("ref = freehold.put(b'rows')\nref").raise_error()
assert isinstance(cell("fail(ref)").error_in_exec, KeyError)
cell("again = ref\ndel ref").raise_error()
cell("print(freehold.explain(again))").raise_error()
print("--- after what it says")
cell("sys.last_value = sys.last_traceback = sys.last_exc = get_ipython().InteractiveTB.tb = None").raise_error()
cell("get_ipython().run_line_magic('reset', '-f out'); get_ipython().user_ns_hidden.clear()").raise_error()
cell("print(freehold.explain(again))").raise_error()
freehold.shutdown()
