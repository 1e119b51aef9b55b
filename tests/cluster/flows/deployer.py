"""Create and start workflows from Python: deployer.py create CONFIG [BRANCH], start NAME JSON."""

import json
import sys

from metaflow import DeployedFlow, Deployer

from tests.cluster.flow import FLOW


def create(config: str, branch: str | None = None) -> str:
    """Return the name of the workflow template, of production or of a branch."""
    where = {"branch": branch} if branch else {"production": True}
    deployer = Deployer(str(FLOW), config=[("deploy", config)], **where)
    return str(deployer.argo_workflows().create().name)


def start(name: str, parameters: str) -> str:
    """Return the name of the workflow that was started."""
    found = DeployedFlow.from_deployment(name)
    return str(found.trigger(**json.loads(parameters)).pathspec).removeprefix("PokeWatchFlow/argo-")


if __name__ == "__main__":
    action, *given = sys.argv[1:]
    name = create(*given) if action == "create" else start(*given)
    sys.stdout.write(f"{name}\n")
