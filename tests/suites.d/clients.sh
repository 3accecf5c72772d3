#!/bin/sh
# Real Nacos SDKs against a real node; the last line has the counts.
exec "$(dirname "$0")/../clients/run.py" "$@"
