"""Create and start workflows from Python: deployer.py create CONFIG, or start NAME JSON."""

import json
import sys

from metaflow import DeployedFlow, Deployer

from tests.cluster.flow import FLOW


def create(config: str) -> str:
    """Return the name of the workflow template."""
    deployer = Deployer(str(FLOW), production=True, config=[("deploy", config)])
    return str(deployer.argo_workflows().create().name)


def start(name: str, parameters: str) -> str:
    """Return the name of the workflow that was started."""
    found = DeployedFlow.from_deployment(name)
    return str(found.trigger(**json.loads(parameters)).pathspec).removeprefix("PokeWatchFlow/argo-")


if __name__ == "__main__":
    action, *given = sys.argv[1:]
    name = create(*given) if action == "create" else start(*given)
    sys.stdout.write(f"{name}\n")
