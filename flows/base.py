"""What every flow of PokeWatch shares: where its state is kept, and `@kubernetes` only where there is a cluster.

Import this before `metaflow`: it settles Metaflow's environment.
"""

import os
from pathlib import Path

from pokewatch.settings import home_folder

# Runs are kept with everything else, wherever the flow is started from; a user of one's own configuration is not touched.
os.environ.setdefault("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(home_folder()))
os.environ.setdefault("METAFLOW_CARD_LOCALROOT", str(home_folder() / ".metaflow" / "mf.cards"))
# In a container and under cron there may be no user, or root, and Metaflow runs as neither.
if not any(os.environ.get(name, "root") != "root" for name in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")):
    os.environ["METAFLOW_USER"] = "pokewatch"

from metaflow import Config, FlowMutator, FlowSpec

CONFIGS = Path(__file__).resolve().parent / "configs"


class OnTarget(FlowMutator):
    """Turn each step's `@kubernetes` into nothing where the deploy config says `local`: one machine has no cluster to ask."""

    def mutate(self, mutable_flow):  # noqa: ANN001, ANN201
        target = dict(mutable_flow.configs)["deploy"]["target"]
        if target != "local":
            return
        for _, step in mutable_flow.steps:
            if step.has_decorator("kubernetes"):
                step.remove_decorator("kubernetes")


@OnTarget
class PokeWatchSpec(FlowSpec):
    """Base of the flows: `--config deploy configs/cluster.json` runs their steps on Kubernetes."""

    deployment = Config(
        "deploy", default=str(CONFIGS / "local.json"), help="Where the steps run: configs/local.json or configs/cluster.json."
    )
