#!/bin/sh
# Restore the previous champion on every MLServer: k8s/rollback.sh [MARKET].
exec "$(dirname "$0")/job.sh" rollback "$@"
