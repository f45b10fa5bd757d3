# SPDX-License-Identifier: MIT
"""`lamppost demo`: a city in this computer, from the sensors' pins to an opened record."""

from pathlib import Path

import rich_click as click

from host_tools import console, heap_size
from host_tools.errors import ToolError

_STOPPED = 130  # the exit code of what was ended by Ctrl-C
_LONGEST_S = 400 * 86_400
_FASTEST = 1_000_000


def _duration(context, parameter, text):
    from host_tools.times import parse_duration

    duration_s = parse_duration(text or "")
    if not duration_s:
        raise click.BadParameter("a time is a number and one of s, m, h, d: 90m, 24h")
    if duration_s > _LONGEST_S:
        raise click.BadParameter("a run is at most 400d")
    return duration_s


def _speed(context, parameter, text):
    if text in (None, "max"):
        return text
    try:
        speed = float(text)
    except ValueError:
        speed = 0
    if not 0 < speed <= _FASTEST:
        raise click.BadParameter(f"a speed is a number from 0 to {_FASTEST}, or max")
    return speed


def _heap(context, parameter, text):
    if text is None:
        return None
    if not heap_size.is_heap(text):
        raise click.BadParameter(heap_size.FORM)
    return text


def _path(context, parameter, text):
    if text == "":
        raise click.BadParameter("it is empty")
    return None if text is None else Path(text)


def _start(context, parameter, text):
    from host_tools.times import parse_instant

    return None if text is None else parse_instant(text, "--start")


@click.command()
@click.option("--for", "for_s", default="1h", metavar="TIME", callback=_duration,
              help="Simulated time to run: 90m, 24h, 2d. Default 1h.")  # fmt: skip
@click.option("--speed", callback=_speed, metavar="N|max",
              help="Times real time. Default 120 on a terminal, else max.")  # fmt: skip
@click.option("--kit", "kits", multiple=True, metavar="KIT",
              help="A kit, or a path. Again for more. Default: air, energy, traffic.")  # fmt: skip
@click.option("--nodes", type=click.IntRange(1, 200), help="How many nodes. Default one per kit.")
@click.option("--replay", callback=_path, metavar="DIR",
              help="Drive the sensors by recordings: CSV files with a time column.")  # fmt: skip
@click.option("--seed", default=1, help="Another seed is another day. Default 1.")
@click.option("--mood", type=click.Choice(["normal", "quiet", "busy"]), default="normal",
              help="How much happens in the city.")  # fmt: skip
@click.option("--start", callback=_start, metavar="TIME",
              help="Where simulated time begins (UTC). Default: the present hour.")  # fmt: skip
@click.option("--broker", default="embedded", metavar="embedded|mosquitto|HOST:PORT",
              help="Default embedded.")  # fmt: skip
@click.option("--tls-dir", callback=_path, metavar="DIR",
              help="Where ca.pem and ca.key of a broker that runs are.")  # fmt: skip
@click.option("--interpreter", type=click.Choice(["cpython", "micropython"]), default="cpython",
              help="What runs the firmware. Default cpython.")  # fmt: skip
@click.option("--heap", callback=_heap, metavar="SIZE",
              help="Heap of each MicroPython: 128k. Default 512k.")  # fmt: skip
@click.option("--dir", "folder", callback=_path, metavar="DIR",
              help="Keep keys, nodes and store here. Default: keys are temporary.")  # fmt: skip
@click.option("--headless", is_flag=True, help="No live table.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout at the end.")
def demo(for_s, speed, kits, nodes, headless, as_json, **options):
    """Run a city of simulated nodes and show what arrives.

    The real firmware measures at simulated chips, keeps to the kits' policies, seals, and sends
    through a real broker over mutual TLS; a collector opens, stores and receipts.

    \b
    lamppost demo
    lamppost demo --for 24h --speed max --kit noise --headless
    lamppost demo --broker mosquitto --interpreter micropython --dir city
    """
    from simulator.city_run import CityRun, Plan, choose_kits
    from simulator.city_table import city_table, closing_words

    if options["heap"] is not None and options["interpreter"] != "micropython":
        raise click.UsageError("--heap is for --interpreter micropython")
    live = console.is_live() and not headless and not as_json
    if speed is None:
        speed = 120.0 if live else "max"
    plan = Plan(
        kits=choose_kits(kits, nodes),
        for_s=for_s,
        speed=None if speed == "max" else speed,
        **{**options, "heap": options["heap"] or "512k"},
    )
    with CityRun(plan) as city:
        stopped = False
        try:
            city.start()
            with console.live(lambda: city_table(city), live) as show:
                city.run(show)
        except KeyboardInterrupt:
            stopped = True
        if not city.is_running():
            raise click.Abort
        account = city.account()
    if as_json:
        console.result_json(account)
    else:
        console.note(closing_words(city, account, stopped))
    if stopped:
        return _STOPPED
    if not city.complete(account):
        raise ToolError(*city.trouble())
    return 0
