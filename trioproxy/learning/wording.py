"""How learning says numbers to people."""

from trioproxy.learning.evidence import Completeness


def describe_watch(facts: Completeness) -> str:
    """Say how long was watched and in which run something last was new."""
    return (
        f"{count(facts.runs, 'run')}, watched for {span(facts.seconds)},"
        f" last new operation in run {facts.newest_run}"
    )


def count(number: int, noun: str) -> str:
    """Write a number of things: `1 run`, `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def span(seconds: int) -> str:
    """Write a time span for people: `40 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"
