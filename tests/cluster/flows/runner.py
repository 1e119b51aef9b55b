"""Run a flow with Metaflow's Runner, and read the run with its client: runner.py FLOW CONFIG."""

import sys

from metaflow import Flow, Runner

flow, config = sys.argv[1:]
with Runner(flow, show_output=False, config=[("deploy", config)]).run() as running:
    sys.stdout.write(f"{running.status}\n{running.stdout}{running.stderr}\n")
    run = Flow(running.run.parent.id).latest_successful_run
sys.stdout.write(f"{run['end'].task.data.attempt}\n")
