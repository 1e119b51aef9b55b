"""Metaflow's environment variables; import this before `metaflow`.

Exits with one line if a setting of PokeWatch is invalid.
"""

import atexit
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

from pokewatch.errors import PokeWatchError
from pokewatch.settings import Home, home_folder, prepare, unknown_names

# Nearly all objects of a step are those of the libraries that it imports: the usual threshold would
# visit them a hundred times for nothing.
gc.set_threshold(100_000)
# The interpreter's last collections would visit every object of the imported libraries: a tenth of
# the CPU time of most steps.
atexit.register(gc.freeze)
try:
    prepare()
    if {"run", "resume"} & set(sys.argv):  # Metaflow would end in a traceback
        Home.read().require_writable()
    if "step" not in sys.argv:
        Home.read().require_own()
except PokeWatchError as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
# The steps of a run on this machine have its environment, and would repeat it.
if "step" not in sys.argv or os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"):
    for text in unknown_names():
        print(f"warning: {text}", file=sys.stderr)
# In a pod Metaflow reads its records from the datastore, at the place where it put them itself.
if not os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"):
    # Runs are stored in POKEWATCH_HOME, not in the working directory, unless configured otherwise.
    os.environ.setdefault("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(home_folder()))
    os.environ.setdefault("METAFLOW_CARD_LOCALROOT", str(home_folder() / ".metaflow" / "mf.cards"))
    # Without this folder, before the first run, `card` and `logs` end in a traceback.
    with suppress(OSError):
        (Path(os.environ["METAFLOW_DATASTORE_SYSROOT_LOCAL"]) / ".metaflow").mkdir(exist_ok=True)
# Without this `argo-workflows create` writes a CronWorkflow that newer Argo rejects.
os.environ.setdefault("METAFLOW_ARGO_WORKFLOWS_USE_SCHEDULES", "true")
# pylint is not installed; without this Metaflow reports its absence at every run.
os.environ.setdefault("METAFLOW_PYLINT", "false")
# In a container or under cron the user may be unset or root; Metaflow refuses both.
if not any(
    os.environ.get(name, "root") != "root"
    for name in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")
):
    os.environ["METAFLOW_USER"] = "pokewatch"
