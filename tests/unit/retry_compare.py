"""Compares the adaptive mode's rate limiter with botocore's over generated traffic.

Usage: retry_compare.py PROGRAM [COUNT [SEED]]   PROGRAM is the built retry_lines.
"""
import random
import subprocess
import sys

from botocore.retries import adaptive, bucket, throttling


class Clock:
    now = 100.0

    def current_time(self):
        return self.now

    def sleep(self, amount):
        raise AssertionError("no call waits in this comparison")


class Detector:
    throttled = False

    def is_throttling_error(self, **_):
        return self.throttled


def events(rng, count):
    """Bursts of calls, of which some meet a service that takes so many a second."""
    now, result = 100_000, [(100_000, "start")]
    while len(result) < count:
        limit, pause = rng.uniform(0, 0.5), rng.choice([1, 5, 20, 100, 700])
        for _ in range(rng.randint(1, 60)):
            now += rng.randint(0, 2 * pause)
            result.append((now, "throttled" if rng.random() < limit else "ok"))
        now += rng.choice([0, 0, 1000, 30_000])
    return result


def of_botocore(sequence):
    clock, detector = Clock(), Detector()
    tokens, rate = bucket.TokenBucket(max_rate=1, clock=clock), adaptive.RateClocker(clock)
    cubic = throttling.CubicCalculator(starting_max_rate=0, start_time=clock.now)
    limiter = adaptive.ClientRateLimiter(cubic, rate, tokens, detector, clock)
    for at, what in sequence:
        clock.now, detector.throttled = at / 1000, what == "throttled"
        if what != "start":
            limiter.on_receiving_response()
        yield tokens.max_rate, tokens.max_capacity, tokens.available_capacity, rate.measured_rate


def main():
    program, *rest = sys.argv[1:]
    count, seed = (int(x) for x in rest + ["3000", "1"][len(rest):])
    sequence = events(random.Random(seed), count)
    lines = "".join(f"{at} {what}\n" for at, what in sequence)
    ours = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    if len(ours) != len(sequence):
        sys.exit(f"{len(ours)} answers for {len(sequence)} events")
    for number, (line, theirs) in enumerate(zip(ours, of_botocore(sequence))):
        mine = tuple(float(x) for x in line.split())
        if any(abs(a - b) > 1e-6 * max(1, abs(b)) for a, b in zip(mine, theirs)):
            sys.exit(f"event {number} of seed {seed}, {sequence[number]}: (rate, capacity, level, measured) are {mine}, botocore's {theirs}")
    throttled = sum(what == "throttled" for _, what in sequence)
    print(f"{len(sequence)} events alike, {throttled} of them throttled")


main()
