"""``python docs/settlement/make.py``: draw the machine and write its tables anew.

Draws the pictures beside this file and writes the tables between the markers of docs/settlement.md,
all of them from the table of transitions and the settings themselves. A test makes them again and
compares.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from perpkit.config_table import document
from perpkit.delivery import OF_MODE, Delivery
from perpkit.settlement import FINAL, LABEL, TABLE, State, Transition

HERE = Path(__file__).parent
PAGE = HERE.parent / "settlement.md"
STYLE = runpy.run_path(str(HERE.parent / "pictures" / "make.py"), run_name="pictures")["STYLE"]
WIDTH, BOX_WIDE, BOX_HIGH = 760, 132, 44
EXTRA = """  .edge { fill: none; stroke-width: 1.5; }
  .box { fill: #ffffff; stroke-width: 1.5; }
  .words { font-size: 12px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
  .fill-tip { fill: #59636e; }
  .code { font-weight: 600; }
  .name { font-size: 10px; }
  @media (prefers-color-scheme: dark) { .box { fill: #0d1117; } .words { stroke: #0d1117; }
    .fill-tip { fill: #9aa5b1; } }
"""
Point = tuple[float, float]
X1, X1_PAID = "X1", "X1 paid"  # one state, drawn where it is entered


class Route(NamedTuple):
    """How one transition is drawn."""

    points: tuple[Point, ...]
    words: Point  # where its words stand
    anchor: str = "middle"
    gap: float = 13.0  # down to a second line of words


class Sheet(NamedTuple):
    """One picture: places of the states, and a route for every transition of the mode."""

    title: str
    told: str
    height: int
    boxes: dict[str, Point]
    routes: dict[tuple[State, str], Route]


S = State
SHEETS = {
    "atomic": Sheet(
        "Atomic: both legs in one transaction",
        "From agreed to settled with both legs in one transaction, or to cancelled with none.",
        190,
        {"S0": (110, 76), "S4": (600, 76), "X0": (600, 146)},
        {
            (S.AGREED, "settled"): Route(((176, 70), (534, 70)), (355, 64)),
            (S.AGREED, "reverted"): Route(((176, 86), (534, 142)), (355, 130)),
        },
    ),
    "coordinated": Sheet(
        "Coordinated: locked, paid, released",
        "From agreed over the asset locked, the payment instructed and paid to settled; beside it "
        "cancelled, unwound, payment unknown, paid and not delivered, compliance failed, refunded.",
        690,
        {
            "S0": (340, 80),
            "X0": (90, 80),
            X1: (90, 164),
            "S1": (340, 200),
            "R1": (90, 272),
            "S2": (340, 340),
            "U1": (640, 340),
            "S3": (340, 480),
            X1_PAID: (640, 452),
            "U2": (640, 548),
            "S4": (340, 640),
            "R2": (640, 640),
        },
        {
            (S.AGREED, "locked"): Route(((340, 102), (340, 176)), (348, 144), "start"),
            (S.AGREED, "not_locked"): Route(((274, 80), (158, 80)), (215, 74), gap=20),
            (S.ASSET_LOCKED, "lock_attested"): Route(((340, 222), (340, 316)), (348, 250), "start"),
            (S.ASSET_LOCKED, "transfer_refused"): Route(((274, 190), (158, 168)), (222, 166)),
            (S.ASSET_LOCKED, "lock_not_attested"): Route(
                ((274, 212), (158, 262)), (196, 222), gap=13
            ),
            (S.COMPLIANCE_FAIL, "unlocked"): Route(((90, 186), (90, 248)), (82, 222), "end"),
            (S.PAY_INSTRUCTED, "paid"): Route(((340, 362), (340, 456)), (332, 414), "end"),
            (S.PAY_INSTRUCTED, "rejected"): Route(((274, 332), (158, 284)), (206, 322), "end"),
            (S.PAY_INSTRUCTED, "no_answer"): Route(((406, 340), (572, 340)), (489, 334), gap=20),
            (S.PAY_UNKNOWN, "absent"): Route(
                ((640, 318), (640, 274), (158, 274)), (560, 268), gap=20
            ),
            (S.PAY_UNKNOWN, "found"): Route(((580, 362), (398, 456)), (506, 418), "start"),
            (S.PAID, "transfer_refused"): Route(((406, 474), (572, 458)), (489, 458)),
            (S.COMPLIANCE_FAIL, "held"): Route(((640, 474), (640, 524)), (632, 503), "end"),
            (S.PAID, "not_released"): Route(((406, 488), (572, 538)), (474, 528)),
            (S.PAID, "released"): Route(((340, 502), (340, 616)), (332, 568), "end"),
            (S.PAID_NOT_DELIVERED, "released"): Route(
                ((574, 558), (408, 630)), (506, 612), "start"
            ),
            (S.PAID_NOT_DELIVERED, "not_released"): Route(
                ((706, 540), (736, 540), (736, 560), (708, 560)), (748, 502), "end"
            ),
            (S.PAID_NOT_DELIVERED, "given_up"): Route(
                ((650, 570), (650, 616)), (658, 597), "start"
            ),
            (S.PAID_NOT_DELIVERED, "refunded"): Route(((630, 570), (630, 616)), (622, 597), "end"),
        },
    ),
    "sequential": Sheet(
        "Sequential: each leg by itself",
        "From agreed to settled on the due date; a buyer may be left paid and not delivered, a "
        "seller delivered and not paid, until the other leg comes or the trade is closed out.",
        380,
        {
            "S0": (100, 200),
            "X0": (100, 330),
            "U2": (350, 140),
            "U3": (350, 280),
            "S4": (630, 70),
            "R2": (630, 210),
        },
        {
            (S.AGREED, "settled"): Route(((100, 178), (100, 70), (562, 70)), (331, 64)),
            (S.AGREED, "refused"): Route(((100, 222), (100, 306)), (108, 268), "start"),
            (S.AGREED, "not_delivered"): Route(((166, 190), (282, 150)), (220, 162)),
            (S.AGREED, "not_paid"): Route(((166, 212), (282, 270)), (222, 254)),
            (S.PAID_NOT_DELIVERED, "not_delivered"): Route(
                ((330, 118), (330, 96), (370, 96), (370, 116)), (378, 100), "start"
            ),
            (S.PAID_NOT_DELIVERED, "delivered"): Route(((416, 132), (562, 82)), (500, 120)),
            (S.PAID_NOT_DELIVERED, "bought_in"): Route(((416, 150), (562, 200)), (482, 186), "end"),
            (S.DELIVERED_NOT_PAID, "not_paid"): Route(
                ((330, 302), (330, 324), (370, 324), (370, 304)), (378, 328), "start"
            ),
            (S.DELIVERED_NOT_PAID, "paid"): Route(
                ((416, 290), (730, 290), (730, 70), (698, 70)), (600, 284)
            ),
            (S.DELIVERED_NOT_PAID, "closed_out"): Route(
                ((416, 272), (562, 222)), (476, 246), "end"
            ),
        },
    ),
}


# --------------------------------------------------------------------------- pictures


def draw(mode: str) -> str:
    """The machine of one mode."""
    sheet = SHEETS[mode]
    lines = {(t.start, t.event): t for t in TABLE if t.mode == mode}
    if lines.keys() != sheet.routes.keys():
        odd = ", ".join(event for _, event in lines.keys() ^ sheet.routes.keys())
        raise ValueError(f"{mode}: routes and transitions differ in {odd}")
    size = f'width="{WIDTH}" height="{sheet.height}"'
    edge = f'width="{WIDTH - 1}" height="{sheet.height - 1}"'
    box = f'viewBox="0 0 {WIDTH} {sheet.height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img">',
        f"<title>{sheet.title}</title>",
        f"<desc>{sheet.told}</desc>",
        f"<style>{STYLE}{EXTRA}</style>",
        '<marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">',
        '<path class="fill-tip" d="M0 0L8 4L0 8z"/></marker>',
        f'<rect class="paper" x="0.5" y="0.5" {edge}/>',
        f'<text class="title" x="24" y="30">{sheet.title}</text>',
    ]
    parts += [_arrow(route, lines[key]) for key, route in sheet.routes.items()]
    parts += [_words(route, lines[key]) for key, route in sheet.routes.items()]
    parts += [_box(name, at) for name, at in sheet.boxes.items()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arrow(route: Route, line: Transition) -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in route.points)
    kind = "a" if LABEL[line.end][0] == "S" else "b"
    return f'<polyline class="edge {kind}" marker-end="url(#tip)" points="{points}"/>'


def _words(route: Route, line: Transition) -> str:
    """The event, and how long was waited for what did not come."""
    waits = [f"T_{name.removesuffix('_timeout_hours')}" for name in line.takes if "timeout" in name]
    x, y = route.words
    told = (line.event.replace("_", " "), *(f"after {wait}" for wait in waits))
    return "".join(
        f'<text class="words" x="{x:g}" y="{y + n * route.gap:g}" text-anchor="{route.anchor}">'
        f"{words}</text>"
        for n, words in enumerate(told)
    )


def _box(name: str, at: Point) -> str:
    code = name.split(" ", maxsplit=1)[0]
    state = next(state for state, label in LABEL.items() if label == code)
    kind = "c" if state == State.SETTLED else "b" if code[0] in "XRU" else "a"
    x, y = at[0] - BOX_WIDE / 2, at[1] - BOX_HIGH / 2
    inner = (
        f'<rect class="box {kind}" x="{x + 3:g}" y="{y + 3:g}" width="{BOX_WIDE - 6}" '
        f'height="{BOX_HIGH - 6}" rx="4"/>'
    )
    return (
        f'<rect class="box {kind}" x="{x:g}" y="{y:g}" width="{BOX_WIDE}" height="{BOX_HIGH}" '
        f'rx="6"/>{inner if state in FINAL else ""}'
        f'<text class="code" x="{at[0]:g}" y="{at[1] - 1:g}" text-anchor="middle">{code}</text>'
        f'<text class="faint name" x="{at[0]:g}" y="{at[1] + 12:g}" text-anchor="middle">'
        f"{state.name.replace('_', ' ').lower()}</text>"
    )


PICTURES = {f"{mode}.svg": mode for mode in SHEETS}


# --------------------------------------------------------------------------- tables


def transitions() -> str:
    """Every line of the table."""
    made = [
        "| mode | from | event | to | who acts | what moves | how likely | takes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for t in TABLE:
        moves = ", ".join(f"{m.what} {m.giver} → {m.taker}" for m in t.moves) or "–"
        takes = [f"`{name}`" for name in t.takes] + (["a business day"] if t.days else [])
        odds = f"`{t.odds}`" if t.odds else "the rest"
        cells = (
            *(t.mode, LABEL[t.start], f"{t.event}{_when(t)}", LABEL[t.end], t.actor, moves),
            *(odds, " + ".join(takes) or "–"),
        )
        made.append("| " + " | ".join(cells) + " |")
    return "\n".join(made)


def _when(t: Transition) -> str:
    """The condition of a line."""
    told = [f"the {t.side} side asks"] if t.side else []
    told += [f"after {LABEL[t.after]}"] if t.after is not None else []
    told += [f"never in {LABEL[t.never]}"] if t.never is not None else []
    told += [f"within `{t.within}`"] if t.within else []
    told += [f"beyond `{t.beyond}`"] if t.beyond else []
    return f" ({', '.join(told)})" if told else ""


def settings() -> str:
    """Every setting of a path, with the source of its default."""
    told = Delivery.model_json_schema()["properties"]
    made = []
    for line in document(Delivery).splitlines():
        name = re.match(r"\| `(\w+)`", line)
        if name is None:
            more = " read by | default from |" if not made else "---|---|"
        else:
            field = told[name[1]]
            modes = [mode for mode, names in OF_MODE.items() if name[1] in names]
            read = "every mode" if len(modes) == len(OF_MODE) or not modes else ", ".join(modes)
            more = f" {read} | {field['source']} ({field['confidence']}) |"
        made.append(line + more)
    return "\n".join(made)


MADE: dict[str, Callable[[], str]] = {"transitions": transitions, "settings": settings}


def filled(page: str) -> str:
    """The page with every table between its markers made anew."""

    def made(found: re.Match[str]) -> str:
        return f"<!-- made: {found[1]} -->\n{MADE[found[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- made: (\w+) -->\n.*?<!-- end -->", made, page, flags=re.S)


def main() -> None:
    """Draw and write everything anew."""
    for name, mode in PICTURES.items():
        (HERE / name).write_text(draw(mode), encoding="utf-8", newline="\n")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
