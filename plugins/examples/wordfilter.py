#!/usr/bin/python3
"""Repeats the messages of one wall on another, with some words masked.

Copy this file to the plugins folder as wordfilter.py, run "wallcast trust
wordfilter", and add to wallcast.yaml:

    sources:
      wordfilter:
        plugin: {on: wall.backstage.message, config: {words: [drat, "dang*"]}}
        to: wall.main.message

Words are masked whatever their case; "*" at the end stands for any further
letters. With {drop: true}, messages that hold such a word are left out instead.
It needs nothing but Python 3.
"""

import json
import re
import sys


def pattern(words):
    """Compiles an expression that finds any of the words, or returns None."""
    parts = []
    for word in words:
        stem = word.rstrip("*")
        if stem:
            parts.append(re.escape(stem) + (r"\w*" if stem != word else ""))
    if not parts:
        return None
    return re.compile(r"(?<!\w)(?:" + "|".join(parts) + r")(?!\w)", re.IGNORECASE)


def mask(value, words):
    """Returns value with the words masked in all of its strings."""
    if isinstance(value, str):
        return words.sub(lambda found: found.group()[0] + "*" * (len(found.group()) - 1), value)
    if isinstance(value, list):
        return [mask(item, words) for item in value]
    if isinstance(value, dict):
        # An address with a word in it must stay an address.
        return {name: item if name in ("url", "image") else mask(item, words) for name, item in value.items()}
    return value


def main():
    trigger = json.loads(sys.stdin.buffer.readline())
    config = trigger["config"] or {}
    words = pattern(config.get("words", []))
    if words is None:
        sys.exit("config needs the words to mask, as in {words: [drat]}")
    event = trigger["input"]
    if trigger["trigger"] != "on" or event is None:
        sys.exit("it answers events: the plugin needs the setting on, such as wall.backstage.message")

    data = mask(event["data"], words)
    if data != event["data"]:
        print(event["id"], "was masked", file=sys.stderr)
        if config.get("drop"):
            return
    # With the id of the event, a trigger that comes twice writes once.
    answer = {"id": event["id"], "data": data}
    if event.get("key"):
        answer["key"] = event["key"]
    print(json.dumps(answer))


main()
