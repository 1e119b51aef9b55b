#!/bin/sh
# Restore the previous champion on every MLServer.
exec "$(dirname "$0")/job.sh" rollback
