#!/usr/bin/env python3
"""A plugin of Wallcast: it is started with a trigger, one line of JSON, as its
standard input; each line of JSON that it prints is an event. What it writes to
standard error is its log, and an exit code other than 0 is tried again.

  echo hi | wallcast try NAME           run it once, storing nothing
  wallcast trust NAME                   let it run, after each change
  curl localhost:8080/hooks/NAME -d hi  run it
  wallcast plugin logs NAME             see what it says
"""

import json
import sys

trigger = json.loads(sys.stdin.readline())
request = trigger["input"] or {}
text = request.get("body") or "nothing was sent"
print(json.dumps({"data": {"title": "NAME", "text": text}}))
